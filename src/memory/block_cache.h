// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Blocks of memory that go around: what a call frees the next one takes.

#ifndef UVGRPC_MEMORY_BLOCK_CACHE_H_
#define UVGRPC_MEMORY_BLOCK_CACHE_H_

#include <cstddef>

namespace uvgrpc {

// As malloc() and free(), for code that allocates and frees hundreds of blocks
// of a few sizes in turn. (malloc() keeps seven of a size at hand, none over 1
// KiB; the memory of a call, and what a turn of the loop frees, is more.) A
// thread has up to 4 MiB, and up to 512 blocks of a size, at hand; it frees
// them when it ends. Under AddressSanitizer nothing is kept, so that a use
// after free is seen.

// Null when there is no memory. Aligned for every type. Never of size 0.
void* AllocateBlock(size_t size);
// Also for memory of malloc().
void FreeBlock(void* block);
// How many bytes can be written there; 0 if it is memory of malloc().
size_t BlockSize(const void* block);

}  // namespace uvgrpc

#endif  // UVGRPC_MEMORY_BLOCK_CACHE_H_
