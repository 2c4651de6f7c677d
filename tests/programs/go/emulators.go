// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"cloud.google.com/go/bigtable/bttest"
	"cloud.google.com/go/pubsub/v2/pstest"
)

func emulate(stop <-chan os.Signal) error {
	bigtable, err := bttest.NewServer("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer bigtable.Close()
	pubsub := pstest.NewServer()
	defer pubsub.Close()
	if err := emit(map[string]string{"bigtable": bigtable.Addr, "pubsub": pubsub.Addr}); err != nil {
		return err
	}
	<-stop
	return nil
}
