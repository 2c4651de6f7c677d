// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Command grpc_go is a peer of the benchmark, and the other side of its real
// connections: grpc-go with one processor. The harness starts it as it starts
// every peer (see peers/program.py):
//
//	grpc_go serve --service KIND ...
//	grpc_go client --load KIND --target HOST:PORT ...
//
// It prints lines of JSON. As the other side it has a load that the other peers
// lack: flood, of streams that are written and read as fast as they let it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"google.golang.org/grpc"
)

const (
	usage      = "usage: grpc_go serve|client [flags]"
	notYetCode = 3
)

// notYet is a kind of service or load that this peer lacks.
type notYet string

func (kind notYet) Error() string { return "grpc-go has no " + string(kind) + " here" }

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
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
	var lacking notYet
	if errors.As(err, &lacking) {
		_ = emit(map[string]string{"not_yet": err.Error()})
		os.Exit(notYetCode)
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
