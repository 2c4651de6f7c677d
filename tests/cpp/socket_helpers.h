// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Plain blocking sockets: what the tests hold against the engine.

#ifndef UVGRPC_TESTS_CPP_SOCKET_HELPERS_H_
#define UVGRPC_TESTS_CPP_SOCKET_HELPERS_H_

#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/slice_buffer.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"

namespace uvgrpc {

// "ipv4:127.0.0.1:0", "ipv6:[::1]:0", "unix:/path", "unix-abstract:name".
ResolvedAddress Address(const std::string& uri);

// A path for a Unix socket that no other test uses.
std::string FreshUnixPath();

// A listening socket and where it listens.
struct PlainListener {
  OwnedFd fd;
  ResolvedAddress address;
};
PlainListener Listen(const std::string& uri, int backlog = 16);
OwnedFd Accept(const PlainListener& listener);
// Blocks until connected; not open on failure.
OwnedFd ConnectTo(const ResolvedAddress& address);

// Two ends of a connection. TCP over loopback, or an unnamed Unix pair.
std::pair<OwnedFd, OwnedFd> TcpPair();
std::pair<OwnedFd, OwnedFd> UnixPair();

void SendAll(int fd, absl::string_view data);
// Reads until `size` bytes or the end.
std::string Receive(int fd, size_t size);
// Whether the peer has closed its end: waits up to a few seconds.
bool SeesEof(int fd);
// How many descriptors this process has open.
int OpenDescriptors();

// Text as slices, in pieces of at most `piece` bytes.
void Append(grpc_event_engine::experimental::SliceBuffer* buffer,
            absl::string_view text, size_t piece = 1 << 30);
std::string Text(grpc_event_engine::experimental::SliceBuffer* buffer);

// Counts what is allocated through it.
struct AllocationCounts {
  int slices = 0;
  size_t slice_bytes = 0;  // of all slices that were made
  size_t bytes_in_use = 0;
};
grpc_event_engine::experimental::MemoryAllocator CountingAllocator(
    std::shared_ptr<AllocationCounts> counts);

// Makes allocators that are not valid, so that the heap is used.
std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
HeapAllocatorFactory();

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_SOCKET_HELPERS_H_
