// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// service says how many prepared replies a request earns.
type service struct {
	reply      []byte
	perMessage int // for each request message
	perCall    int // when the client has half-closed
}

// call is an open stream of the server.
type call struct {
	incoming messages
	window   int64 // beside the connection's initial one
	owed     int   // replies not sent yet
	opened   bool
	ended    bool
}

func serveCommand(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	mode := flags.String("mode", "unary", "unary, streaming or pingpong")
	replies := flags.Int("replies", 1000, "messages a streaming call is answered with")
	_ = flags.Parse(arguments)

	answers := service{reply: frameMessage(textField("Hello, you!"))}
	switch *mode {
	case "unary":
		answers.perCall = 1
	case "streaming":
		answers.perCall = *replies
	case "pingpong":
		answers.perMessage = 1
	default:
		return fmt.Errorf("unknown mode %q", *mode)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := emit(map[string]any{"port": listener.Addr().(*net.TCPAddr).Port}); err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := answers.run(conn); err != nil && !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "canned: connection:", err)
			}
		}()
	}
}

func (s *service) run(conn net.Conn) error {
	w := newWire(conn, bufferSize)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(w.reader, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return errors.New("the client does not speak HTTP/2")
	}
	if err := w.open(); err != nil {
		return err
	}
	calls := map[uint32]*call{}
	for {
		frame, err := w.next()
		if err != nil {
			return err
		}
		if err := w.housekeeping(frame); err != nil {
			return err
		}
		if err := s.handle(w, calls, frame); err != nil {
			return err
		}
	}
}

func (s *service) handle(w *wire, calls map[uint32]*call, frame http2.Frame) error {
	id := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.HeadersFrame:
		c := &call{}
		calls[id] = c
		if frame.StreamEnded() {
			c.ended, c.owed = true, s.perCall
		}
		return s.send(w, calls, id, c)
	case *http2.DataFrame:
		c := calls[id]
		if c == nil {
			return nil // reset by the client
		}
		c.owed += s.perMessage * c.incoming.add(frame.Data())
		if frame.StreamEnded() {
			c.ended = true
			c.owed += s.perCall
		}
		return s.send(w, calls, id, c)
	case *http2.RSTStreamFrame:
		delete(calls, id)
	case *http2.WindowUpdateFrame:
		if id != 0 {
			if c := calls[id]; c != nil {
				c.window += int64(frame.Increment)
				return s.send(w, calls, id, c)
			}
			return nil
		}
		w.window += int64(frame.Increment)
		return s.sendAll(w, calls)
	case *http2.SettingsFrame:
		return s.sendAll(w, calls) // its initial window holds for open streams too
	}
	return nil
}

func (s *service) sendAll(w *wire, calls map[uint32]*call) error {
	for id, c := range calls {
		if err := s.send(w, calls, id, c); err != nil {
			return err
		}
	}
	return nil
}

// send writes what a call is owed, as far as flow control lets it.
func (s *service) send(w *wire, calls map[uint32]*call, id uint32, c *call) error {
	size := int64(len(s.reply))
	if !c.opened && (c.owed > 0 || c.ended) {
		c.opened = true
		err := w.headers(id, false, hpack.HeaderField{Name: ":status", Value: "200"},
			hpack.HeaderField{Name: contentTypeField, Value: contentType})
		if err != nil {
			return err
		}
	}
	for c.owed > 0 && min(w.initial+c.window, w.window) >= size {
		if err := w.framer.WriteData(id, false, s.reply); err != nil {
			return err
		}
		c.owed--
		c.window -= size
		w.window -= size
	}
	if c.owed == 0 && c.ended {
		delete(calls, id)
		return w.headers(id, true, hpack.HeaderField{Name: statusField, Value: "0"})
	}
	return nil
}
