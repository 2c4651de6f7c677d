// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Interop is the peer of the interoperability tests: a server and a client of grpc-go's own test
// service, with its own checks. pytest runs it:
//
//	interop certificates -folder DIR
//	interop serve [-cert FILE -key FILE]
//	interop call -port PORT [-ca FILE -name HOST] [-flags=false] CASE
//
// All traffic is on 127.0.0.1. A case that fails ends the program with status 1 and a line that
// says why.
package main

import (
	"flag"
	"fmt"
	"os"
)

const host = "127.0.0.1"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("usage: interop certificates|serve|call ...")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ExitOnError)
	switch arguments[0] {
	case "certificates":
		folder := flags.String("folder", ".", "where to write ca.pem, server.pem and server.key")
		flags.Parse(arguments[1:])
		return writeCertificates(*folder)
	case "serve":
		cert := flags.String("cert", "", "the server's certificate; empty: no TLS")
		key := flags.String("key", "", "the certificate's private key")
		flags.Parse(arguments[1:])
		return serve(*cert, *key)
	case "call":
		var options callOptions
		flags.IntVar(&options.port, "port", 0, "the server's port")
		flags.StringVar(&options.ca, "ca", "", "the authority that signed the server's certificate; empty: no TLS")
		flags.StringVar(&options.name, "name", "", "the name that the certificate is for")
		flags.BoolVar(&options.serverSeesFlags, "flags", true, "the server checks whether a message came compressed")
		flags.Parse(arguments[1:])
		return call(options, flags.Arg(0))
	}
	return fmt.Errorf("no command %q", arguments[0])
}
