// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
)

const repliesPerCall = 1000 // of a streaming call

type service struct{}

func (service) sayHello(_ context.Context, request *Request) (*Reply, error) {
	return answer(request), nil
}

func (service) sayHelloOften(request *Request, stream grpc.ServerStreamingServer[Reply]) error {
	for range repliesPerCall {
		if err := stream.Send(answer(request)); err != nil {
			return err
		}
	}
	return nil
}

func (service) exchangeHellos(stream requestsAndReplies) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(answer(request)); err != nil {
			return err
		}
	}
}

func (service) repeat(_ context.Context, payload *Payload) (*Payload, error) {
	return &Payload{Value: payload.Value}, nil
}

func answer(request *Request) *Reply {
	return &Reply{Value: "Hello, " + request.Value + "!"}
}

// serveCommand prints its port, serves until SIGTERM, prints that nothing is
// left.
func serveCommand(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	name := flags.String("service", "", "unary, streaming, pingpong or echo")
	_ = flags.Parse(arguments)
	desc := serviceDescs[*name]
	if desc == nil {
		return fmt.Errorf("no service %q", *name)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(largest))
	server.RegisterService(desc, service{})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := emit(map[string]any{"port": port, "versions": versions()}); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	server.Stop()
	return emit(map[string]any{})
}
