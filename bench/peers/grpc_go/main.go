// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Command grpc_go is a peer of the benchmark, and the other side of its real
// connections: grpc-go with one processor. The harness starts it as it starts
// every peer (see peers/program.py):
//
//	grpc_go serve --service unary|streaming|pingpong|echo
//	grpc_go client --load unary|latency|streaming|pingpong|echo --target HOST:PORT ...
//
// It prints lines of JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"

	"google.golang.org/grpc"
)

const (
	usage  = "usage: grpc_go serve|client [flags]"
	notYet = 3
)

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if slices.Contains(os.Args, "soak") {
		_ = emit(map[string]string{"not_yet": "load soak is for peers with the API of grpc.aio"})
		os.Exit(notYet)
	}
	var err error
	switch role, arguments := os.Args[1], os.Args[2:]; role {
	case "serve":
		err = serveCommand(arguments)
	case "client":
		err = clientCommand(arguments)
	default:
		err = fmt.Errorf("unknown role %q; %s", role, usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpc_go:", err)
		os.Exit(1)
	}
}

func versions() map[string]string {
	return map[string]string{"grpc-go": grpc.Version}
}

// emit prints one line of JSON for the harness.
func emit(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
