// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What protoc-gen-go-grpc would generate from bench.proto, with message types
// that grpc-go ships: a message of bench.proto is on the wire a StringValue,
// since its first field is a string.

type (
	// Request is bench.Request without its second field.
	Request = wrapperspb.StringValue
	// Reply is bench.Reply.
	Reply = wrapperspb.StringValue
	// Payload is bench.Payload.
	Payload = wrapperspb.BytesValue

	requestsAndReplies = grpc.BidiStreamingServer[Request, Reply]
)

const (
	unaryPath     = "/bench.Unary/SayHello"
	streamingPath = "/bench.Streaming/SayHello"
	pingpongPath  = "/bench.PingPong/SayHello"
	uploadPath    = "/bench.Upload/SayHello"
	echoPath      = "/bench.Echo/Repeat"

	largest = 16 << 20 // bytes of a message
)

type greeter interface {
	sayHello(context.Context, *Request) (*Reply, error)
	sayHelloOften(*Request, grpc.ServerStreamingServer[Reply]) error
	exchangeHellos(requestsAndReplies) error
	repeat(context.Context, *Payload) (*Payload, error)
	countHellos(grpc.ClientStreamingServer[Request, Reply]) error
}

var unaryDesc = &grpc.ServiceDesc{
	ServiceName: "bench.Unary", HandlerType: (*greeter)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "SayHello", Handler: handleUnary(unaryPath, greeter.sayHello)}},
}

// serviceDescs are the services by the harness's name for them.
var serviceDescs = map[string]*grpc.ServiceDesc{
	"unary": unaryDesc, "sleeping": unaryDesc, "metadata": unaryDesc, "intercepted": unaryDesc,
	"echo": {
		ServiceName: "bench.Echo", HandlerType: (*greeter)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Repeat", Handler: handleUnary(echoPath, greeter.repeat)}},
	},
	"streaming": {
		ServiceName: "bench.Streaming", HandlerType: (*greeter)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "SayHello", Handler: handleStreaming, ServerStreams: true}},
	},
	"pingpong": {
		ServiceName: "bench.PingPong", HandlerType: (*greeter)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "SayHello", Handler: handlePingPong, ServerStreams: true, ClientStreams: true,
		}},
	},
	"upload": {
		ServiceName: "bench.Upload", HandlerType: (*greeter)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "SayHello", Handler: handleUpload, ClientStreams: true}},
	},
}

func handleUnary[In, Out any](
	path string, method func(greeter, context.Context, *In) (*Out, error),
) grpc.MethodHandler {
	return func(
		server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
	) (any, error) {
		request := new(In)
		if err := decode(request); err != nil {
			return nil, err
		}
		if intercept == nil {
			return method(server.(greeter), ctx, request)
		}
		handler := func(ctx context.Context, request any) (any, error) {
			return method(server.(greeter), ctx, request.(*In))
		}
		return intercept(ctx, request, &grpc.UnaryServerInfo{Server: server, FullMethod: path}, handler)
	}
}

func handleStreaming(server any, stream grpc.ServerStream) error {
	request := new(Request)
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	return server.(greeter).sayHelloOften(request, &grpc.GenericServerStream[Request, Reply]{ServerStream: stream})
}

func handlePingPong(server any, stream grpc.ServerStream) error {
	return server.(greeter).exchangeHellos(&grpc.GenericServerStream[Request, Reply]{ServerStream: stream})
}

func handleUpload(server any, stream grpc.ServerStream) error {
	return server.(greeter).countHellos(&grpc.GenericServerStream[Request, Reply]{ServerStream: stream})
}

// sleepOf is the request's second field, which a StringValue keeps unread.
func sleepOf(request *Request) time.Duration {
	unread := request.ProtoReflect().GetUnknown()
	number, kind, tagLength := protowire.ConsumeTag(unread)
	if number != 2 || kind != protowire.VarintType {
		return 0
	}
	milliseconds, _ := protowire.ConsumeVarint(unread[tagLength:])
	return time.Duration(milliseconds) * time.Millisecond
}

// entries are what the metadata scenarios send each way.
func entries() metadata.MD {
	found := metadata.MD{}
	for i := range 20 {
		found.Set(fmt.Sprintf("x-entry-%d", i), fmt.Sprintf("value-%d", i))
	}
	return found
}

// complete tells whether all of them are there.
func complete(found metadata.MD) bool {
	for i := range 20 {
		if !slices.Equal(found.Get(fmt.Sprintf("x-entry-%d", i)), []string{fmt.Sprintf("value-%d", i)}) {
			return false
		}
	}
	return true
}

// A stub calls a method of bench.proto.

func sayHello(
	ctx context.Context, channel *grpc.ClientConn, request *Request, options ...grpc.CallOption,
) (*Reply, error) {
	reply := new(Reply)
	err := channel.Invoke(ctx, unaryPath, request, reply, append(options, grpc.StaticMethod())...)
	return reply, err
}

func repeat(ctx context.Context, channel *grpc.ClientConn, payload *Payload) (*Payload, error) {
	reply := new(Payload)
	err := channel.Invoke(
		ctx, echoPath, payload, reply, grpc.StaticMethod(), grpc.MaxCallRecvMsgSize(largest))
	return reply, err
}

func sayHelloOften(
	ctx context.Context, channel *grpc.ClientConn, request *Request,
) (grpc.ServerStreamingClient[Reply], error) {
	raw, err := channel.NewStream(ctx, &serviceDescs["streaming"].Streams[0], streamingPath, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	stream := &grpc.GenericClientStream[Request, Reply]{ClientStream: raw}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	return stream, stream.CloseSend()
}

func exchangeHellos(
	ctx context.Context, channel *grpc.ClientConn,
) (grpc.BidiStreamingClient[Request, Reply], error) {
	raw, err := channel.NewStream(ctx, &serviceDescs["pingpong"].Streams[0], pingpongPath, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[Request, Reply]{ClientStream: raw}, nil
}

func countHellos(
	ctx context.Context, channel *grpc.ClientConn,
) (grpc.ClientStreamingClient[Request, Reply], error) {
	raw, err := channel.NewStream(ctx, &serviceDescs["upload"].Streams[0], uploadPath, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[Request, Reply]{ClientStream: raw}, nil
}
