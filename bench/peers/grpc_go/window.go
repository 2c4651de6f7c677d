// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"
	"time"
)

// window measures time, CPU of all threads and context switches of this
// process. Both ends are told to the harness, which looks at the other side.
type window struct {
	start time.Time
	usage syscall.Rusage
}

func openWindow() (*window, error) {
	if err := emit(map[string]string{"window": "open"}); err != nil {
		return nil, err
	}
	w := &window{start: time.Now()}
	return w, syscall.Getrusage(syscall.RUSAGE_SELF, &w.usage)
}

func (w *window) close(result *Result) error {
	result.Seconds = time.Since(w.start).Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	result.CPU = (cpu(&usage) - cpu(&w.usage)).Seconds()
	result.Switches = usage.Nvcsw + usage.Nivcsw - w.usage.Nvcsw - w.usage.Nivcsw
	return emit(map[string]string{"window": "closed"})
}

func cpu(usage *syscall.Rusage) time.Duration {
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
