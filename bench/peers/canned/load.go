// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Result is what load prints. An exchange is a unary call or, in a stream, a
// message and its reply.
type Result struct {
	Exchanges  int     `json:"exchanges"`
	Seconds    float64 `json:"seconds"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	Refused    int     `json:"refused"`     // beside the exchanges, if the load is tolerant
	ReplyBytes int     `json:"reply_bytes"` // DATA of the first call
	Status     string  `json:"grpc_status"` // of the first call that failed, else "0"
	StatusText string  `json:"grpc_message"`
}

type load struct {
	*wire
	decoder  *hpack.Decoder
	path     string
	target   string
	request  []byte
	pingpong bool
	tolerant bool
	until    time.Time
	most     int // exchanges at most
	started  int
	streams  map[uint32]*exchange
	nextID   uint32
	took     []time.Duration
	result   Result
	fields   map[string]string // of the header block being decoded
}

// exchange is an open stream of the client.
type exchange struct {
	incoming messages
	window   int64 // beside the connection's initial one
	waiting  bool  // a ping that flow control holds back
	sent     time.Time
	bytes    int
}

// plan is what the command line says.
type plan struct {
	target, path, name string
	pingpong, tls      bool
	tolerant           bool
	streams, count     int
	limit, hold        time.Duration
}

func loadCommand(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	mode := flags.String("mode", "unary", "unary, pingpong or connections")
	target := flags.String("target", "", "HOST:PORT")
	path := flags.String("path", "", "/package.Service/Method")
	name := flags.String("name", "you", "field 1 of the request")
	secure := flags.Bool("tls", false, "over TLS; any certificate is good")
	tolerant := flags.Bool("tolerant", false, "go on when the server refuses a call")
	streams := flags.Int("streams", 1, "concurrent streams on the one connection, or concurrent connections")
	count := flags.Int("count", 1<<40, "exchanges at most")
	seconds := flags.Float64("seconds", 5, "time at most")
	hold := flags.Float64("hold", 0, "seconds to keep the connection open, idle, afterwards")
	_ = flags.Parse(arguments)

	p := plan{
		target: *target, path: *path, name: *name, pingpong: *mode == "pingpong", tls: *secure, tolerant: *tolerant,
		streams: *streams, count: *count, limit: duration(*seconds), hold: duration(*hold),
	}
	if *mode == "connections" {
		return p.connections()
	}
	l, err := p.connect()
	if err != nil {
		return err
	}
	defer l.conn.Close()
	l.took = make([]time.Duration, 0, 1<<20)
	if err := l.run(p.streams, p.limit); err != nil {
		return err
	}
	if err := emit(l.summary()); err != nil {
		return err
	}
	return l.idle(p.hold)
}

func (p *plan) connect() (*load, error) {
	l, err := connect(p.target, p.path, frameMessage(textField(p.name)), bufferSize, p.tls)
	if err != nil {
		return nil, err
	}
	l.pingpong, l.tolerant, l.most = p.pingpong, p.tolerant, p.count
	return l, nil
}

// connections opens connections over and over, makes a call on each, and
// closes it. The time of an exchange is that from the dial to the trailers.
func (p *plan) connections() error {
	p.count = 1
	start := time.Now()
	loads := make(chan *load)
	failed := make(chan error, p.streams)
	for range p.streams {
		go func() {
			for time.Since(start) < p.limit {
				dialled := time.Now()
				l, err := p.connect()
				if err == nil {
					err = l.run(1, p.limit)
					_ = l.conn.Close()
				}
				if err != nil {
					failed <- err
					return
				}
				l.took = []time.Duration{time.Since(dialled)}
				loads <- l
			}
			failed <- nil
		}()
	}
	total := &load{result: Result{Status: "0"}}
	for running := p.streams; running > 0; {
		select {
		case l := <-loads:
			total.result.Exchanges += l.result.Exchanges
			total.result.ReplyBytes = l.result.ReplyBytes
			total.took = append(total.took, l.took...)
			if l.result.Status != "0" {
				total.result.Status, total.result.StatusText = l.result.Status, l.result.StatusText
			}
		case err := <-failed:
			if err != nil {
				return err
			}
			running--
		}
	}
	total.result.Seconds = time.Since(start).Seconds()
	return emit(total.summary())
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

// connect makes a connection that nothing is sent on yet.
func connect(target, path string, request []byte, buffer int, secure bool) (*load, error) {
	conn, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	l := &load{
		wire: newWire(conn, buffer), path: path, target: target, request: request, streams: map[uint32]*exchange{},
		nextID: 1, result: Result{Status: "0"}, fields: map[string]string{},
	}
	l.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { l.fields[f.Name] = f.Value })
	return l, nil
}

func (l *load) run(streams int, limit time.Duration) error {
	if err := l.conn.SetDeadline(time.Now().Add(limit + 10*time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(l.writer, http2.ClientPreface); err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	start := time.Now()
	l.until = start.Add(limit)
	for range streams {
		if err := l.begin(); err != nil {
			return err
		}
	}
	for len(l.streams) > 0 {
		frame, err := l.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("the server closed the connection under load")
			}
			return err
		}
		if err := l.housekeeping(frame); err != nil {
			return err
		}
		if err := l.handle(frame); err != nil {
			return err
		}
	}
	l.result.Seconds = time.Since(start).Seconds()
	return l.writer.Flush()
}

// idle answers pings only, so that the server has a quiet connection.
func (l *load) idle(hold time.Duration) error {
	if err := l.conn.SetDeadline(time.Now().Add(hold)); err != nil {
		return err
	}
	for hold > 0 {
		frame, err := l.next()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.housekeeping(frame); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) more() bool {
	return l.started < l.most && l.result.Status == "0" && time.Now().Before(l.until)
}

// begin opens a stream, if the load is not over.
func (l *load) begin() error {
	if !l.more() {
		return nil
	}
	id := l.nextID
	l.nextID += 2
	e := &exchange{}
	l.streams[id] = e
	err := l.headers(id, false,
		hpack.HeaderField{Name: ":method", Value: "POST"},
		hpack.HeaderField{Name: ":scheme", Value: "http"},
		hpack.HeaderField{Name: ":path", Value: l.path},
		hpack.HeaderField{Name: ":authority", Value: l.target},
		hpack.HeaderField{Name: contentTypeField, Value: contentType},
		hpack.HeaderField{Name: "te", Value: "trailers"})
	if err != nil {
		return err
	}
	return l.ping(id, e)
}

// ping sends the next request message of a stream, or half-closes it.
func (l *load) ping(id uint32, e *exchange) error {
	if l.pingpong && !l.more() {
		return l.framer.WriteData(id, true, nil)
	}
	size := int64(len(l.request))
	if min(l.initial+e.window, l.window) < size {
		e.waiting = true
		return nil
	}
	e.waiting = false
	e.window -= size
	l.window -= size
	l.started++
	e.sent = time.Now()
	return l.framer.WriteData(id, !l.pingpong, l.request)
}

func (l *load) handle(frame http2.Frame) error {
	id := frame.Header().StreamID
	e := l.streams[id]
	switch frame := frame.(type) {
	case *http2.HeadersFrame:
		if !frame.HeadersEnded() {
			return errors.New("the server sent a header block in several frames")
		}
		clear(l.fields)
		if _, err := l.decoder.Write(frame.HeaderBlockFragment()); err != nil {
			return err
		}
		if frame.StreamEnded() && e != nil {
			return l.end(id, e)
		}
	case *http2.DataFrame:
		if e == nil {
			return nil
		}
		if l.result.Exchanges == 0 {
			e.bytes += int(frame.Length)
			l.result.ReplyBytes = e.bytes
		}
		for range e.incoming.add(frame.Data()) {
			if !l.pingpong {
				continue
			}
			l.record(e)
			if err := l.ping(id, e); err != nil {
				return err
			}
		}
	case *http2.RSTStreamFrame:
		if e == nil {
			return nil // has ended: its trailers came before
		}
		if l.tolerant {
			return l.refused(id)
		}
		return fmt.Errorf("the server reset stream %d: %v", id, frame.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server said GOAWAY: %v %s", frame.ErrCode, frame.DebugData())
	case *http2.WindowUpdateFrame:
		if e != nil {
			e.window += int64(frame.Increment)
		}
		if id != 0 {
			return l.resume(id, e)
		}
		l.window += int64(frame.Increment)
		return l.resumeAll()
	case *http2.SettingsFrame:
		return l.resumeAll() // its initial window holds for open streams too
	}
	return nil
}

func (l *load) resumeAll() error {
	for id, e := range l.streams {
		if err := l.resume(id, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) resume(id uint32, e *exchange) error {
	if e == nil || !e.waiting {
		return nil
	}
	return l.ping(id, e)
}

// refused counts a call that the server has too much to do for, and makes
// another.
func (l *load) refused(id uint32) error {
	delete(l.streams, id)
	l.result.Refused++
	return l.begin()
}

// end records a finished call and, for unary calls, starts the next.
func (l *load) end(id uint32, e *exchange) error {
	if status := l.fields[statusField]; l.tolerant && status != "0" {
		return l.refused(id)
	}
	delete(l.streams, id)
	if status := l.fields[statusField]; status != "0" && l.result.Status == "0" {
		l.result.Status = status
		text, err := url.PathUnescape(l.fields[statusTextField])
		if err != nil {
			text = l.fields[statusTextField]
		}
		l.result.StatusText = strings.TrimSpace(text)
	}
	if l.pingpong {
		return nil
	}
	l.record(e)
	return l.begin()
}

func (l *load) record(e *exchange) {
	l.result.Exchanges++
	l.took = append(l.took, time.Since(e.sent))
}

func (l *load) summary() Result {
	slices.Sort(l.took)
	if n := len(l.took); n > 0 {
		l.result.P50 = float64(l.took[n/2].Nanoseconds()) / 1e3
		l.result.P99 = float64(l.took[n*99/100].Nanoseconds()) / 1e3
	}
	return l.result
}
