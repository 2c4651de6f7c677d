// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// holdCommand opens connections one after the other, makes a call on each, says
// so, and then leaves them alone: pings are answered, nothing else is sent.
func holdCommand(arguments []string) error {
	flags := flag.NewFlagSet("hold", flag.ExitOnError)
	target := flags.String("target", "", "HOST:PORT")
	path := flags.String("path", "", "/package.Service/Method")
	connections := flags.Int("connections", 1, "how many")
	seconds := flags.Float64("seconds", 5, "to leave them alone")
	_ = flags.Parse(arguments)

	loads := make([]*load, *connections)
	for i := range loads {
		l, err := connect(*target, *path, frameMessage(textField("you")), smallBuffer, false)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		defer l.conn.Close()
		l.most = 1
		if err := l.run(1, 10*time.Second); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		if l.result.Status != "0" || l.result.Exchanges != 1 {
			return errors.New("a call failed: " + l.result.Status + " " + l.result.StatusText)
		}
		loads[i] = l
	}
	if err := emit(map[string]int{"connections": len(loads)}); err != nil {
		return err
	}
	over := make(chan error, len(loads))
	for _, l := range loads {
		go func() { over <- l.idle(time.Duration(*seconds * float64(time.Second))) }()
	}
	for range loads {
		if err := <-over; err != nil {
			return err
		}
	}
	return nil
}
