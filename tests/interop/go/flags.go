// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"

	"google.golang.org/grpc/stats"
)

// compressedFlags records of the messages that a call receives which came compressed; grpc-go
// shows it nowhere else. The payloads of the cases are zeros: compressed, they are smaller.
type compressedFlags struct {
	mu    sync.Mutex
	flags []bool
}

type flagsKey struct{}

func withFlags(ctx context.Context) (context.Context, *compressedFlags) {
	flags := &compressedFlags{}
	return context.WithValue(ctx, flagsKey{}, flags), flags
}

func flagsOf(ctx context.Context) *compressedFlags {
	flags, _ := ctx.Value(flagsKey{}).(*compressedFlags)
	return flags
}

// last says whether the last message came compressed.
func (c *compressedFlags) last() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.flags) > 0 && c.flags[len(c.flags)-1]
}

func (c *compressedFlags) add(flag bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags = append(c.flags, flag)
}

// flagRecorder is the stats handler behind compressedFlags, of servers and of clients.
type flagRecorder struct{}

func (flagRecorder) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if flagsOf(ctx) == nil { // a server's call; a client's has them from its caller
		ctx, _ = withFlags(ctx)
	}
	return ctx
}

func (flagRecorder) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if payload, ok := event.(*stats.InPayload); ok {
		flagsOf(ctx).add(payload.CompressedLength < payload.Length)
	}
}

func (flagRecorder) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (flagRecorder) HandleConn(context.Context, stats.ConnStats) {}
