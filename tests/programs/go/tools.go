// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Package tools has no code: go.mod names the programs, go.sum their hashes.
package tools
