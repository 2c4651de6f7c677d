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
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const repliesPerCall = 1000 // of a streaming call; requests of an upload

type service struct {
	withMetadata bool
}

func (s service) sayHello(ctx context.Context, request *Request) (*Reply, error) {
	if wait := sleepOf(request); wait > 0 {
		time.Sleep(wait)
	}
	if s.withMetadata {
		if found, _ := metadata.FromIncomingContext(ctx); !complete(found) {
			return nil, status.Error(codes.InvalidArgument, "metadata is missing")
		}
		if err := grpc.SetHeader(ctx, entries()); err != nil {
			return nil, err
		}
	}
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

func (service) countHellos(stream grpc.ClientStreamingServer[Request, Reply]) error {
	for count := 0; ; count++ {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&Reply{Value: fmt.Sprintf("Hello, %d!", count)})
		}
		if err != nil {
			return err
		}
	}
}

func answer(request *Request) *Reply {
	return &Reply{Value: "Hello, " + request.Value + "!"}
}

func passThrough(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(ctx, request)
}

// serveCommand prints its port, serves until SIGTERM, prints that nothing is
// left.
func serveCommand(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	name := flags.String("service", "", "a key of serviceDescs")
	certificate := flags.String("certificate", "", "a file, for TLS")
	key := flags.String("key", "", "a file, for TLS")
	_ = flags.Parse(arguments)
	desc := serviceDescs[*name]
	if desc == nil {
		return notYet(*name)
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(largest)}
	if *certificate != "" {
		tls, err := credentials.NewServerTLSFromFile(*certificate, *key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(tls))
	}
	if *name == "intercepted" {
		options = append(options, grpc.UnaryInterceptor(passThrough))
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	server.RegisterService(desc, service{withMetadata: *name == "metadata"})
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
