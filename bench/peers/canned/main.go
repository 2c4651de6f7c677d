// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Command canned is the other end of the benchmark's connections: a gRPC
// server and a gRPC load generator that send prepared HTTP/2 frames, so that
// they cost far less than the Python process that is being measured.
//
//	canned serve -mode unary|streaming|pingpong [-replies 1000]
//	canned load  -mode unary|pingpong|connections -target HOST:PORT -path /package.Service/Method ...
//	canned hold  -connections 10000 -target HOST:PORT -path /package.Service/Method ...
//	canned certificate -certificate FILE -key FILE
//
// All but the last print one line of JSON. The messages are those of bench.proto.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

const usage = "usage: canned serve|load|hold|certificate [flags]"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch command, arguments := os.Args[1], os.Args[2:]; command {
	case "serve":
		err = serveCommand(arguments)
	case "load":
		err = loadCommand(arguments)
	case "hold":
		err = holdCommand(arguments)
	case "certificate":
		err = certificateCommand(arguments)
	default:
		err = fmt.Errorf("unknown command %q; %s", command, usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "canned:", err)
		os.Exit(1)
	}
}

// emit prints one line of JSON for the harness.
func emit(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
