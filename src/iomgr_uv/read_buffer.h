// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The memory that a socket reads into.

#ifndef UVGRPC_IOMGR_UV_READ_BUFFER_H_
#define UVGRPC_IOMGR_UV_READ_BUFFER_H_

#include <grpc/event_engine/memory_allocator.h>
#include <grpc/slice.h>

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace uvgrpc {

// Hands out space for a read and turns what was read into a slice.
//
// A connection that reads little at a time has no memory of its own: it reads
// into what the thread has for that, and the slice is a copy of the size that
// it needs. Any other has a block, taken from its quota, and its slices are of
// that, without a copy. The rest of a block is used for the next read, and once
// all of its slices are released it is used from its start again: in the steady
// state a read allocates nothing.
//
// The block's size follows the traffic: it doubles (up to the maximum) when a
// read fills all the space it was given, and halves (down to the initial size)
// after a row of reads that needed little of it, or when it is told to.
//
// Loop thread; slices may be released on any thread.
class ReadBuffer {
 public:
  // Sizes: min <= initial <= max. An allocator that is not valid stands for the
  // process's heap.
  ReadBuffer(grpc_event_engine::experimental::MemoryAllocator allocator,
             size_t min_size, size_t initial_size, size_t max_size);
  ~ReadBuffer();
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  // Space for the next read, at least one byte. Stays valid until the next call
  // of any method.
  absl::Span<uint8_t> Prepare();

  // The first `size` > 0 bytes of that space as a slice, which the caller owns.
  [[nodiscard]] grpc_slice Take(size_t size);

  // What was read last was too much to deal with at once.
  void Shrink();

  // Up to how many bytes are little.
  static constexpr size_t kSmallRead = 1024;

  // Lets go of the block and of the quota. May be called from inside Prepare or
  // Take: a quota that is exhausted has core end connections there and then,
  // and the one that asks may be among them. What they return is valid then,
  // but nothing should be read any more.
  void Release();

 private:
  bool has_block() const { return block_.refcount != nullptr; }
  bool AllSlicesReleased() const;
  // Whether the next read is likely to be small, and needs no block.
  bool IsSmall() const;
  void Adapt(size_t size);
  grpc_slice Copy(size_t size);
  void Allocate(size_t at_least);
  // From the quota. Runs core's code.
  grpc_slice MakeSlice(grpc_event_engine::experimental::MemoryRequest request);
  void DropBlock();

  grpc_event_engine::experimental::MemoryAllocator allocator_;
  bool has_quota_;
  bool is_released_ = false;
  const size_t min_size_;
  const size_t initial_size_;
  const size_t max_size_;
  size_t target_size_;  // of the next block
  size_t last_read_ = 0;
  size_t offered_ = 0;      // by the last Prepare
  bool is_shared_ = false;  // the memory that it offered
  int small_reads_ = 0;     // in a row

  grpc_slice block_;  // what is unused of the block; null refcount: none
  uint8_t* block_start_ = nullptr;
  size_t block_size_ = 0;
  size_t block_target_ = 0;  // target_size_ when it was allocated
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_READ_BUFFER_H_
