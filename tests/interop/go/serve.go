// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// serve runs grpc-go's test service until standard input ends. It prints its port.
func serve(cert, key string) error {
	options := []grpc.ServerOption{grpc.StatsHandler(flagRecorder{})}
	if cert != "" {
		tls, err := credentials.NewServerTLSFromFile(cert, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(tls))
	}
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	pb.RegisterTestServiceServer(server, compressing{interop.NewTestServer()})
	reflection.Register(server)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// compressing adds to grpc-go's test service what that leaves out: the compression that a
// request asks for or announces. A stream can not change its compression half-way in grpc-go.
type compressing struct {
	pb.TestServiceServer
}

func (c compressing) UnaryCall(ctx context.Context, request *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if err := checkFlag(ctx, request.GetExpectCompressed()); err != nil {
		return nil, err
	}
	if err := compress(ctx, request.GetResponseCompressed()); err != nil {
		return nil, err
	}
	return c.TestServiceServer.UnaryCall(ctx, request)
}

func (c compressing) StreamingOutputCall(request *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	if parameters := request.GetResponseParameters(); len(parameters) > 0 {
		if err := compress(stream.Context(), parameters[0].GetCompressed()); err != nil {
			return err
		}
	}
	return c.TestServiceServer.StreamingOutputCall(request, stream)
}

func (c compressing) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	return c.TestServiceServer.StreamingInputCall(checkedInput{stream})
}

// checkedInput fails a stream at a message that is not as announced.
type checkedInput struct {
	pb.TestService_StreamingInputCallServer
}

func (c checkedInput) Recv() (*pb.StreamingInputCallRequest, error) {
	request, err := c.TestService_StreamingInputCallServer.Recv()
	if err != nil {
		return nil, err
	}
	return request, checkFlag(c.Context(), request.GetExpectCompressed())
}

func checkFlag(ctx context.Context, announced *pb.BoolValue) error {
	if announced == nil || announced.GetValue() == flagsOf(ctx).last() {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "announced compressed=%v, came %v", announced.GetValue(), !announced.GetValue())
}

func compress(ctx context.Context, wanted *pb.BoolValue) error {
	if wanted == nil {
		return nil
	}
	if wanted.GetValue() {
		return grpc.SetSendCompressor(ctx, "gzip")
	}
	return grpc.SetSendCompressor(ctx, "identity")
}
