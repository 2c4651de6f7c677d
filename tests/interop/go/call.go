// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
)

// How long a case may take before it has failed.
const limit = 20 * time.Second

type callOptions struct {
	port            int
	ca, name        string
	serverSeesFlags bool
}

// peer is the server that a case calls.
type peer struct {
	target      string
	dialOptions []grpc.DialOption
	connection  *grpc.ClientConn
	service     pb.TestServiceClient
	options     callOptions
}

type testCase func(context.Context, peer) error

// standard makes a case of one of grpc-go's, which ends the program itself when it fails.
func standard(run func(context.Context, pb.TestServiceClient, ...grpc.CallOption)) testCase {
	return func(ctx context.Context, p peer) error {
		run(ctx, p.service)
		return nil
	}
}

// soak makes a case of many large calls, on one connection or on a new one for each. It reports
// each of them on standard error.
func soak(newConnections bool) testCase {
	const (
		iterations = 50
		latency    = 5 * time.Second // at most
	)
	return func(ctx context.Context, p peer) error {
		interop.DoSoakTest(ctx, p.service, p.target, p.dialOptions, newConnections, iterations, 0,
			largeRequest, largeResponse, latency, 0)
		return nil
	}
}

var cases = map[string]testCase{
	"empty_unary":                 standard(interop.DoEmptyUnaryCall),
	"large_unary":                 standard(interop.DoLargeUnaryCall),
	"client_streaming":            standard(interop.DoClientStreaming),
	"server_streaming":            standard(interop.DoServerStreaming),
	"ping_pong":                   standard(interop.DoPingPong),
	"empty_stream":                standard(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  standard(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          standard(interop.DoCancelAfterBegin),
	"cancel_after_first_response": standard(interop.DoCancelAfterFirstResponse),
	"custom_metadata":             standard(interop.DoCustomMetadata),
	"status_code_and_message":     standard(interop.DoStatusCodeAndMessage),
	"special_status_message":      standard(interop.DoSpecialStatusMessage),
	"unimplemented_method": func(ctx context.Context, p peer) error {
		interop.DoUnimplementedMethod(ctx, p.connection)
		return nil
	},
	"unimplemented_service": func(ctx context.Context, p peer) error {
		interop.DoUnimplementedService(ctx, pb.NewUnimplementedServiceClient(p.connection))
		return nil
	},
	"pick_first_unary": func(ctx context.Context, p peer) error {
		interop.DoPickFirstUnary(ctx, p.service)
		return nil
	},
	"rpc_soak":                    soak(false),
	"channel_soak":                soak(true),
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"client_compressed_streaming": clientCompressedStreaming,
	"server_compressed_streaming": serverCompressedStreaming,
	"concurrent_large_streams":    concurrentLargeStreams,
}

// call runs one case, and prints its name when it has passed.
func call(options callOptions, name string) error {
	run, ok := cases[name]
	if !ok {
		return fmt.Errorf("no case %q", name)
	}
	transport := insecure.NewCredentials()
	if options.ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(options.ca, options.name); err != nil {
			return err
		}
	}
	p := peer{
		target: fmt.Sprintf("%s:%d", host, options.port),
		dialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(transport),
			grpc.WithStatsHandler(flagRecorder{}),
		},
		options: options,
	}
	var err error
	if p.connection, err = grpc.NewClient(p.target, p.dialOptions...); err != nil {
		return err
	}
	defer p.connection.Close()
	p.service = pb.NewTestServiceClient(p.connection)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := run(ctx, p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Println(name, "passed")
	return nil
}
