// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	bufferSize       = 64 << 10
	smallBuffer      = 1 << 10 // of one connection among thousands
	wideWindow       = 1 << 30 // what we let the peer send, a stream and in all
	windowRefill     = 1 << 28 // how much of it we let it use before giving it back
	protocolWindow   = 65535   // RFC 9113, 6.9.2: both sides start with it
	messageHeader    = 5       // gRPC: compressed flag and length
	statusField      = "grpc-status"
	statusTextField  = "grpc-message"
	contentTypeField = "content-type"
	contentType      = "application/grpc"
)

// wire is one HTTP/2 connection that a single goroutine reads and writes.
type wire struct {
	conn     net.Conn
	reader   *bufio.Reader
	writer   *bufio.Writer
	framer   *http2.Framer
	encoder  *hpack.Encoder
	block    bytes.Buffer // what encoder writes to
	received uint32       // bytes of DATA since the last refill
	window   int64        // what we may still send on the connection
	initial  int64        // what we may send on any stream, beside its own updates
}

func newWire(conn net.Conn, buffer int) *wire {
	w := &wire{conn: conn, window: protocolWindow, initial: protocolWindow}
	w.reader = bufio.NewReaderSize(conn, buffer)
	w.writer = bufio.NewWriterSize(conn, buffer)
	w.framer = http2.NewFramer(w.writer, w.reader)
	w.framer.SetReuseFrames()
	w.encoder = hpack.NewEncoder(&w.block)
	return w
}

// open announces windows so wide that only windowRefill has to be kept up.
func (w *wire) open() error {
	if err := w.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: wideWindow}); err != nil {
		return err
	}
	return w.framer.WriteWindowUpdate(0, wideWindow)
}

// next reads a frame, after what was written has been sent: nothing is held
// back while the peer waits, and one write carries a whole burst.
func (w *wire) next() (http2.Frame, error) {
	if w.reader.Buffered() == 0 && w.writer.Buffered() > 0 {
		if err := w.writer.Flush(); err != nil {
			return nil, err
		}
	}
	return w.framer.ReadFrame()
}

// housekeeping answers the frames that belong to no stream.
func (w *wire) housekeeping(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if frame.IsAck() {
			return nil
		}
		if value, ok := frame.Value(http2.SettingInitialWindowSize); ok {
			w.initial = int64(value)
		}
		return w.framer.WriteSettingsAck()
	case *http2.PingFrame:
		if frame.IsAck() {
			return nil
		}
		return w.framer.WritePing(true, frame.Data)
	case *http2.DataFrame:
		w.received += frame.Length
		if w.received < windowRefill {
			return nil
		}
		refill := w.received
		w.received = 0
		return w.framer.WriteWindowUpdate(0, refill)
	}
	return nil
}

func (w *wire) headers(stream uint32, endStream bool, fields ...hpack.HeaderField) error {
	w.block.Reset()
	for _, field := range fields {
		if err := w.encoder.WriteField(field); err != nil {
			return err
		}
	}
	return w.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: w.block.Bytes(), EndHeaders: true, EndStream: endStream,
	})
}

// messages counts the gRPC messages whose last byte has arrived.
type messages struct {
	header []byte
	left   uint32 // bytes of the current message's body still to come
}

func (m *messages) add(data []byte) (complete int) {
	for len(data) > 0 {
		if len(m.header) < messageHeader {
			n := min(messageHeader-len(m.header), len(data))
			m.header = append(m.header, data[:n]...)
			data = data[n:]
			if len(m.header) < messageHeader {
				return complete
			}
			m.left = binary.BigEndian.Uint32(m.header[1:])
		}
		n := min(m.left, uint32(len(data)))
		m.left -= n
		data = data[n:]
		if m.left == 0 {
			m.header = m.header[:0]
			complete++
		}
	}
	return complete
}

// frameMessage puts gRPC's length prefix before a serialized message.
func frameMessage(body []byte) []byte {
	framed := make([]byte, messageHeader, messageHeader+len(body))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(body)))
	return append(framed, body...)
}

// textField serializes a protobuf message whose field 1 is a short string.
func textField(text string) []byte {
	return append([]byte{0x0a, byte(len(text))}, text...)
}
