// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Command programs is what clients in Python are tested against: emulators of
// Bigtable and Pub/Sub, or a control plane of xDS. go.mod also pins the
// programs that are tests themselves: grpcurl, ghz and etcd.
//
//	programs emulators
//	programs xds BEFORE AFTER
//
// Each prints a line of JSON with its ports and serves until it is ended; the
// control plane lets the service "greeter" go from port BEFORE to port AFTER
// on SIGUSR1.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if err := run(os.Args[1:], stop); err != nil {
		fmt.Fprintln(os.Stderr, "programs:", err)
		os.Exit(1)
	}
}

func run(arguments []string, stop <-chan os.Signal) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "emulators":
		return emulate(stop)
	case len(arguments) == 3 && arguments[0] == "xds":
		return control(arguments[1], arguments[2], stop)
	}
	return fmt.Errorf("usage: programs emulators | programs xds BEFORE AFTER")
}

// emit prints one line of JSON for the test.
func emit(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
