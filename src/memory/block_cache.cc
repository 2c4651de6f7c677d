// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/memory/block_cache.h"

#include <pthread.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace uvgrpc {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif

// Sizes are multiples of this, headers included.
constexpr size_t kStep = 64;
// Larger blocks are malloc()'s alone.
constexpr size_t kClasses = 256;
constexpr size_t kMostBytes = size_t{4} << 20;
constexpr uint16_t kMostBlocks = 512;
// No block begins a page (of the smallest size that there is), so that what is
// before a block, whoever made it, can be read.
constexpr uintptr_t kPage = 4096;
// No size that malloc() would have written there.
constexpr uint64_t kMark = 0x7576677270630001;

// Before every block.
struct alignas(16) Header {
  union {
    uint64_t mark;  // while the block is in use
    Header* next;   // while it is not
  };
  size_t bytes;  // with the header
};

struct Cache {
  Header* first[kClasses];
  uint16_t count[kClasses];
  size_t bytes;
  bool is_known;  // to pthread, which frees it
  bool is_over;
};

// Constant at first and trivially destroyed: usable as long as the thread runs.
thread_local Cache t_cache;

void FreeAll(void*) {
  Cache& cache = t_cache;
  cache.is_over = true;
  for (Header*& first : cache.first) {
    while (first != nullptr) {
      Header* const block = first;
      first = block->next;
      std::free(block);
    }
  }
}

void TellPthread(Cache& cache) {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    return pthread_key_create(&made, FreeAll) == 0 ? made : 0;
  }();
  cache.is_known = true;
  pthread_setspecific(key, &cache);
}

bool BeginsPage(const void* block) {
  return reinterpret_cast<uintptr_t>(block) % kPage == 0;
}

Header* NewHeader(size_t bytes) {
  Header* rejected = nullptr;
  Header* header;
  while ((header = static_cast<Header*>(std::malloc(bytes))) != nullptr &&
         BeginsPage(header + 1)) {
    header->next = rejected;
    rejected = header;
  }
  while (rejected != nullptr)
    std::free(std::exchange(rejected, rejected->next));
  return header;
}

Header* HeaderOf(const void* block) {
  return static_cast<Header*>(const_cast<void*>(block)) - 1;
}

}  // namespace

void* AllocateBlock(size_t size) {
  if (size > SIZE_MAX - sizeof(Header) - kStep) return nullptr;
  const size_t bytes = (size + sizeof(Header) + kStep - 1) / kStep * kStep;
  const size_t index = bytes / kStep;
  Header* header = nullptr;
  if (kKeep && index < kClasses) {
    Cache& cache = t_cache;
    header = cache.first[index];
    if (header != nullptr) {
      cache.first[index] = header->next;
      --cache.count[index];
      cache.bytes -= bytes;
    }
  }
  if (header == nullptr) {
    // Under AddressSanitizer the end of the block is where it was asked for.
    header = NewHeader(kKeep ? bytes : size + sizeof(Header));
    if (header == nullptr) return nullptr;
    header->bytes = kKeep ? bytes : size + sizeof(Header);
  }
  header->mark = kMark;
  return header + 1;
}

void FreeBlock(void* block) {
  if (block == nullptr) return;
  Header* const header = HeaderOf(block);
  if (BlockSize(block) == 0) return std::free(block);
  header->mark = 0;
  const size_t index = header->bytes / kStep;
  Cache& cache = t_cache;
  if (!kKeep || index >= kClasses || cache.count[index] >= kMostBlocks ||
      cache.bytes + header->bytes > kMostBytes || cache.is_over) {
    return std::free(header);
  }
  if (!cache.is_known) TellPthread(cache);
  header->next = cache.first[index];
  cache.first[index] = header;
  ++cache.count[index];
  cache.bytes += header->bytes;
}

// What is before memory of malloc() is not the program's.
__attribute__((no_sanitize_address, no_sanitize_thread, noinline)) size_t
BlockSize(const void* block) {
  if (BeginsPage(block)) return 0;
  const Header* const header = HeaderOf(block);
  return header->mark == kMark ? header->bytes - sizeof(Header) : 0;
}

}  // namespace uvgrpc
