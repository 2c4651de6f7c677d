// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// The cases about compression, which grpc-go's interop package leaves out. A stream of grpc-go is
// compressed as a whole or not at all, so those with both kinds of requests are two streams here.

const (
	largeRequest  = 271828
	largeResponse = 314159
)

var (
	gzipped      = grpc.UseCompressor(gzip.Name)
	responseSize = [...]int32{31415, 92653}
)

func payload(size int) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

func boolean(value bool) *pb.BoolValue {
	return &pb.BoolValue{Value: value}
}

func expectCode(err error, code codes.Code) error {
	if status.Code(err) != code {
		return fmt.Errorf("got %v instead of %v", err, code)
	}
	return nil
}

func expectBody(got *pb.Payload, size int32) error {
	if len(got.GetBody()) != int(size) {
		return fmt.Errorf("got a body of %d bytes instead of %d", len(got.GetBody()), size)
	}
	return nil
}

func expectFlag(flags *compressedFlags, compressed bool) error {
	if flags.last() != compressed {
		return fmt.Errorf("a response came with compressed=%v", flags.last())
	}
	return nil
}

func clientCompressedUnary(ctx context.Context, p peer) error {
	request := &pb.SimpleRequest{
		ExpectCompressed: boolean(true),
		ResponseSize:     largeResponse,
		Payload:          payload(largeRequest),
	}
	if p.options.serverSeesFlags {
		_, err := p.service.UnaryCall(ctx, request)
		if err := expectCode(err, codes.InvalidArgument); err != nil {
			return fmt.Errorf("the false announcement: %w", err)
		}
	}
	for _, compressed := range []bool{true, false} {
		request.ExpectCompressed = boolean(compressed)
		var options []grpc.CallOption
		if compressed {
			options = append(options, gzipped)
		}
		response, err := p.service.UnaryCall(ctx, request, options...)
		if err != nil {
			return err
		}
		if err := expectBody(response.GetPayload(), largeResponse); err != nil {
			return err
		}
	}
	return nil
}

func serverCompressedUnary(ctx context.Context, p peer) error {
	for _, compressed := range []bool{true, false} {
		ctx, flags := withFlags(ctx)
		response, err := p.service.UnaryCall(ctx, &pb.SimpleRequest{
			ResponseCompressed: boolean(compressed),
			ResponseSize:       largeResponse,
			Payload:            payload(largeRequest),
		})
		if err != nil {
			return err
		}
		if err := expectBody(response.GetPayload(), largeResponse); err != nil {
			return err
		}
		if err := expectFlag(flags, compressed); err != nil {
			return err
		}
	}
	return nil
}

func clientCompressedStreaming(ctx context.Context, p peer) error {
	send := func(announced bool, sizes []int, options ...grpc.CallOption) (*pb.StreamingInputCallResponse, error) {
		stream, err := p.service.StreamingInputCall(ctx, options...)
		if err != nil {
			return nil, err
		}
		for _, size := range sizes {
			request := &pb.StreamingInputCallRequest{ExpectCompressed: boolean(announced), Payload: payload(size)}
			if err := stream.Send(request); err != nil && err != io.EOF {
				return nil, err
			}
		}
		return stream.CloseAndRecv()
	}
	if p.options.serverSeesFlags {
		_, err := send(true, []int{27182})
		if err := expectCode(err, codes.InvalidArgument); err != nil {
			return fmt.Errorf("the false announcement: %w", err)
		}
	}
	sizes := []int{27182, 45904}
	for _, compressed := range []bool{true, false} {
		var options []grpc.CallOption
		if compressed {
			options = append(options, gzipped)
		}
		response, err := send(compressed, sizes, options...)
		if err != nil {
			return err
		}
		if got := response.GetAggregatedPayloadSize(); got != 73086 {
			return fmt.Errorf("the server counted %d bytes", got)
		}
	}
	return nil
}

func serverCompressedStreaming(ctx context.Context, p peer) error {
	ctx, flags := withFlags(ctx)
	stream, err := p.service.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{
		ResponseParameters: []*pb.ResponseParameters{
			{Size: responseSize[0], Compressed: boolean(true)},
			{Size: responseSize[1], Compressed: boolean(false)},
		},
	})
	if err != nil {
		return err
	}
	for i, compressed := range []bool{true, false} {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := expectBody(response.GetPayload(), responseSize[i]); err != nil {
			return err
		}
		if err := expectFlag(flags, compressed); err != nil {
			return err
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("the stream ended with %v", err)
	}
	return nil
}
