// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	pb "google.golang.org/grpc/interop/grpc_testing"
)

const (
	streams  = 16
	messages = 8
)

// concurrentLargeStreams runs many streams on one connection, each with more bytes on their way
// in both directions than flow control lets through at once.
func concurrentLargeStreams(ctx context.Context, p peer) error {
	results := make(chan error, streams)
	for i := 0; i < streams; i++ {
		go func() { results <- largeStream(ctx, p) }()
	}
	for i := 0; i < streams; i++ {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func largeStream(ctx context.Context, p peer) error {
	stream, err := p.service.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		for i := 0; i < messages; i++ {
			request := &pb.StreamingOutputCallRequest{
				ResponseParameters: []*pb.ResponseParameters{{Size: largeResponse}},
				Payload:            payload(largeRequest),
			}
			if err := stream.Send(request); err != nil {
				sent <- fmt.Errorf("request %d: %w", i, err)
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for i := 0; i < messages; i++ {
		response, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		if err := expectBody(response.GetPayload(), largeResponse); err != nil {
			return err
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %v", err)
	}
	return <-sent
}
