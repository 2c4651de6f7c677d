// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const greeting = "Hello, you!"

// Result is what a load did between the two ends of its window.
type Result struct {
	Count    int64             `json:"count"`
	Seconds  float64           `json:"seconds"`
	CPU      float64           `json:"cpu_seconds"`
	Switches int64             `json:"context_switches"`
	P50      float64           `json:"p50_us"`
	P99      float64           `json:"p99_us"`
	Versions map[string]string `json:"versions"`
}

// load is what its workers share.
type load struct {
	channel  *grpc.ClientConn
	data     []byte       // of an echo
	count    atomic.Int64 // calls, or messages of streams
	measured atomic.Bool  // the window is open
	stopped  atomic.Bool
}

// worker is one of the callers that run side by side.
type worker struct {
	*load
	took []time.Duration
}

func clientCommand(arguments []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	kind := flags.String("load", "", "which")
	target := flags.String("target", "", "HOST:PORT")
	concurrency := flags.Int("concurrency", 1, "calls at a time")
	size := flags.Int("size", 0, "bytes of an echo")
	seconds := flags.Float64("seconds", 5, "of the window")
	warmup := flags.Float64("warmup", 1, "seconds before it")
	_ = flags.Parse(arguments)

	runs := map[string]func(*worker, context.Context) error{
		"unary": (*worker).call, "latency": (*worker).call,
		"intercepted": (*worker).call, "metadata": (*worker).callWithMetadata,
		"streaming": (*worker).read, "pingpong": (*worker).exchange,
		"echo":   (*worker).echo,
		"upload": (*worker).upload, "flood": (*worker).flood,
	}
	run := runs[*kind]
	if run == nil {
		return notYet(*kind)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if *kind == "intercepted" {
		options = append(options, grpc.WithUnaryInterceptor(invokeThrough))
	}
	channel, err := grpc.NewClient(*target, options...)
	if err != nil {
		return err
	}
	defer channel.Close()
	l := &load{channel: channel, data: echoData(*size)}
	result, err := l.measure(run, *concurrency, duration(*warmup), duration(*seconds))
	if err != nil {
		return err
	}
	return emit(result)
}

func (l *load) measure(
	run func(*worker, context.Context) error, concurrency int, warmup, seconds time.Duration,
) (*Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), warmup+seconds+20*time.Second)
	defer cancel()
	done := make(chan error, concurrency)
	workers := make([]*worker, concurrency)
	for i := range workers {
		workers[i] = &worker{load: l}
		go func() { done <- run(workers[i], ctx) }()
	}
	if err := wait(done, warmup); err != nil {
		return nil, err
	}
	before := l.count.Load()
	w, err := openWindow()
	if err != nil {
		return nil, err
	}
	l.measured.Store(true)
	if err := wait(done, seconds); err != nil {
		return nil, err
	}
	l.measured.Store(false)
	result := &Result{Count: l.count.Load() - before, Versions: versions()}
	if err := w.close(result); err != nil {
		return nil, err
	}
	l.stopped.Store(true)
	for range workers {
		if err := <-done; err != nil {
			return nil, err
		}
	}
	var took []time.Duration
	for _, worker := range workers {
		took = append(took, worker.took...)
	}
	slices.Sort(took)
	if n := len(took); n > 0 {
		result.P50 = float64(took[n/2].Nanoseconds()) / 1e3
		result.P99 = float64(took[n*99/100].Nanoseconds()) / 1e3
	}
	return result, nil
}

// wait lets the workers go on for a while; one that ends meanwhile has failed.
func wait(done chan error, limit time.Duration) error {
	select {
	case <-time.After(limit):
		return nil
	case err := <-done:
		return errors.Join(errors.New("a worker ended before its time"), err)
	}
}

// record compares a reply and counts it.
func (w *worker) record(reply *Reply, since time.Time) error {
	if reply.Value != greeting {
		return fmt.Errorf("the server replied %q", reply.Value)
	}
	w.tally(since)
	return nil
}

func (w *worker) tally(since time.Time) {
	w.count.Add(1)
	if w.measured.Load() {
		w.took = append(w.took, time.Since(since))
	}
}

func (w *worker) call(ctx context.Context) error {
	for !w.stopped.Load() {
		since := time.Now()
		reply, err := sayHello(ctx, w.channel, you())
		if err != nil {
			return err
		}
		if err := w.record(reply, since); err != nil {
			return err
		}
	}
	return nil
}

func invokeThrough(
	ctx context.Context, method string, request, reply any, channel *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return invoke(ctx, method, request, reply, channel, options...)
}

func (w *worker) callWithMetadata(ctx context.Context) error {
	for !w.stopped.Load() {
		since := time.Now()
		var header metadata.MD
		sending := metadata.NewOutgoingContext(ctx, entries())
		reply, err := sayHello(sending, w.channel, you(), grpc.Header(&header))
		if err != nil {
			return err
		}
		if !complete(header) {
			return errors.New("metadata is missing")
		}
		if err := w.record(reply, since); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) upload(ctx context.Context) error {
	wanted := fmt.Sprintf("Hello, %d!", repliesPerCall)
	for !w.stopped.Load() {
		stream, err := countHellos(ctx, w.channel)
		if err != nil {
			return err
		}
		for range repliesPerCall {
			if err := stream.Send(you()); err != nil {
				return err
			}
		}
		reply, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		if reply.Value != wanted {
			return fmt.Errorf("the server replied %q", reply.Value)
		}
		w.count.Add(repliesPerCall)
	}
	return nil
}

const (
	floodBatch   = 100
	batchesAhead = 10 // without a reply yet
)

// flood writes ahead of the replies, and reads what comes.
func (w *worker) flood(ctx context.Context) error {
	stream, err := exchangeHellos(ctx, w.channel)
	if err != nil {
		return err
	}
	credit := make(chan struct{}, batchesAhead+1)
	for range batchesAhead {
		credit <- struct{}{}
	}
	go func() {
		for range credit {
			for range floodBatch {
				_ = stream.Send(you()) // a stream that has failed says so to its reader
			}
		}
		_ = stream.CloseSend()
	}()
	owed, granting, since := batchesAhead*floodBatch, true, time.Now()
	for read := 1; ; read++ {
		reply, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if granting || read-1 != owed {
				return fmt.Errorf("%d replies to %d requests", read-1, owed)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.record(reply, since); err != nil {
			return err
		}
		switch {
		case read%floodBatch != 0 || !granting:
		case w.stopped.Load():
			close(credit)
			granting = false
		default:
			credit <- struct{}{}
			owed += floodBatch
		}
	}
}

func (w *worker) read(ctx context.Context) error {
	for !w.stopped.Load() {
		since := time.Now()
		stream, err := sayHelloOften(ctx, w.channel, you())
		if err != nil {
			return err
		}
		read := 0
		for ; ; read++ {
			reply, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if err := w.record(reply, since); err != nil {
				return err
			}
		}
		if read != repliesPerCall {
			return fmt.Errorf("a stream had %d replies", read)
		}
	}
	return nil
}

func (w *worker) exchange(ctx context.Context) error {
	stream, err := exchangeHellos(ctx, w.channel)
	if err != nil {
		return err
	}
	for !w.stopped.Load() {
		since := time.Now()
		if err := stream.Send(you()); err != nil {
			return err
		}
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := w.record(reply, since); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("a stream ended with %v", err)
	}
	return nil
}

func (w *worker) echo(ctx context.Context) error {
	for !w.stopped.Load() {
		since := time.Now()
		reply, err := repeat(ctx, w.channel, &Payload{Value: w.data})
		if err != nil {
			return err
		}
		if !bytes.Equal(reply.Value, w.data) {
			return errors.New("the server replied something else")
		}
		w.tally(since)
	}
	return nil
}

// echoData is what an echo sends: no two neighbouring pieces are the same.
func echoData(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

func you() *Request { return &Request{Value: "you"} }

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
