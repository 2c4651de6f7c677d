// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The allocation functions of gRPC's core (grpc/support/alloc.h).

#include <grpc/support/alloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "src/memory/block_cache.h"

namespace {

void* OrAbort(void* block) {
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* gpr_malloc(size_t size) {
  return size == 0 ? nullptr : OrAbort(uvgrpc::AllocateBlock(size));
}

void* gpr_zalloc(size_t size) {
  return size == 0 ? nullptr : std::memset(gpr_malloc(size), 0, size);
}

void gpr_free(void* block) { uvgrpc::FreeBlock(block); }

void* gpr_realloc(void* block, size_t size) {
  if (block == nullptr) return gpr_malloc(size);
  const size_t old_size = uvgrpc::BlockSize(block);
  if (old_size == 0) return OrAbort(std::realloc(block, size));
  if (size <= old_size) return block;
  void* const larger = gpr_malloc(size);
  std::memcpy(larger, block, old_size);
  gpr_free(block);
  return larger;
}

void* gpr_malloc_aligned(size_t size, size_t alignment) {
  if ((alignment & (alignment - 1)) != 0) std::abort();
  const size_t extra = alignment - 1 + sizeof(void*);
  void* const block = gpr_malloc(size + extra);
  auto** const aligned = reinterpret_cast<void**>(
      (reinterpret_cast<uintptr_t>(block) + extra) & ~(alignment - 1));
  aligned[-1] = block;
  return aligned;
}

void gpr_free_aligned(void* aligned) {
  gpr_free(static_cast<void**>(aligned)[-1]);
}
