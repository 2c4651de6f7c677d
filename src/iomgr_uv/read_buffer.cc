// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "src/core/lib/slice/slice_refcount.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryRequest;

// Reads that need less than this part of a block make it shrink when so many of
// them come in a row.
constexpr size_t kSmallPart = 8;
constexpr int kSmallReadsToShrink = 64;

// What small reads of all connections of a thread go to.
thread_local uint8_t t_shared[8192];

}  // namespace

ReadBuffer::ReadBuffer(MemoryAllocator allocator, size_t min_size,
                       size_t initial_size, size_t max_size)
    : allocator_(std::move(allocator)),
      has_quota_(allocator_.IsValid()),
      min_size_(min_size),
      initial_size_(initial_size),
      max_size_(max_size),
      target_size_(initial_size),
      block_(grpc_empty_slice()) {}

ReadBuffer::~ReadBuffer() { DropBlock(); }

absl::Span<uint8_t> ReadBuffer::Prepare() {
  if (has_block() && AllSlicesReleased()) {
    if (block_target_ == target_size_ && !IsSmall()) {
      block_.data.refcounted.bytes = block_start_;
      block_.data.refcounted.length = block_size_;
    } else {
      DropBlock();
    }
  }
  // A read that fills its space costs a second system call to find out whether
  // there is more, so leave room for twice what came last.
  const size_t wanted =
      std::min(std::max(min_size_, 2 * last_read_), target_size_);
  const bool has_room = has_block() && block_.data.refcounted.length >= wanted;
  is_shared_ = !has_room && IsSmall();
  if (is_shared_) {
    DropBlock();
    offered_ = target_size_;
    return absl::MakeSpan(t_shared, offered_);
  }
  if (!has_room) Allocate(wanted);
  offered_ = block_.data.refcounted.length;
  return absl::MakeSpan(block_.data.refcounted.bytes, offered_);
}

bool ReadBuffer::IsSmall() const {
  return last_read_ <= kSmallRead && target_size_ <= sizeof(t_shared);
}

grpc_slice ReadBuffer::Take(size_t size) {
  CHECK(size > 0 && size <= offered_);
  Adapt(size);
  return is_shared_ ? Copy(size) : grpc_slice_split_head(&block_, size);
}

void ReadBuffer::Adapt(size_t size) {
  last_read_ = size;
  if (size == offered_) {
    target_size_ = std::min(2 * target_size_, max_size_);
    small_reads_ = 0;
  } else if (size >= target_size_ / kSmallPart) {
    small_reads_ = 0;
  } else if (target_size_ > initial_size_ &&
             ++small_reads_ >= kSmallReadsToShrink) {
    Shrink();
  }
  offered_ = 0;
}

grpc_slice ReadBuffer::Copy(size_t size) {
  grpc_slice slice =
      has_quota_ ? MakeSlice(MemoryRequest(size)) : grpc_slice_malloc(size);
  std::memcpy(GRPC_SLICE_START_PTR(slice), t_shared, size);
  return slice;
}

void ReadBuffer::Shrink() {
  target_size_ = std::max(target_size_ / 2, initial_size_);
  small_reads_ = 0;
}

void ReadBuffer::Release() {
  is_released_ = true;
  DropBlock();
  allocator_.Reset();
}

bool ReadBuffer::AllSlicesReleased() const {
  if (!block_.refcount->IsUnique()) return false;
  // IsUnique does not synchronise with whoever released the last slice, perhaps
  // on another thread, and we are about to overwrite what they read. This does.
  block_.refcount->Ref({});
  block_.refcount->Unref({});
  return true;
}

void ReadBuffer::Allocate(size_t at_least) {
  DropBlock();
  if (has_quota_) {
    // The quota may grant less when memory is short.
    block_ = MakeSlice(
        MemoryRequest(std::min(at_least, target_size_), target_size_));
  } else {
    block_ = grpc_slice_malloc_large(target_size_);
  }
  block_start_ = block_.data.refcounted.bytes;
  block_size_ = block_.data.refcounted.length;
  block_target_ = target_size_;
}

grpc_slice ReadBuffer::MakeSlice(MemoryRequest request) {
  // Release must not take it from under the call.
  MemoryAllocator allocator = std::move(allocator_);
  const grpc_slice slice = allocator.MakeSlice(request);
  if (!is_released_) allocator_ = std::move(allocator);
  return slice;
}

void ReadBuffer::DropBlock() {
  grpc_slice_unref(std::exchange(block_, grpc_empty_slice()));
}

}  // namespace uvgrpc
