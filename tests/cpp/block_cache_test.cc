// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/memory/block_cache.h"

#include <grpc/support/alloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace uvgrpc {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

void* Filled(size_t size) {
  void* const block = AllocateBlock(size);
  return std::memset(block, 0xab, size);
}

TEST(BlockCacheTest, BlocksAreAsLargeAsAskedForAndAligned) {
  std::vector<void*> blocks;
  for (size_t size = 1; size < 40'000; size = size * 5 / 4 + 1) {
    blocks.push_back(Filled(size));
    EXPECT_GE(BlockSize(blocks.back()), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % 16, 0U);
  }
  EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(),
            blocks.size());
  for (void* const block : blocks) FreeBlock(block);
}

TEST(BlockCacheTest, TheLastBlockThatWasFreedComesBackFirst) {
  if (!kKeeps) GTEST_SKIP() << "sanitizers are to see a use after free";
  for (const size_t size : {1, 100, 1'000, 9'000, 16'000}) {
    void* const first = Filled(size);
    void* const second = Filled(size);
    FreeBlock(first);
    FreeBlock(second);
    EXPECT_EQ(Filled(size), second);
    EXPECT_EQ(Filled(size), first);
    FreeBlock(first);
    FreeBlock(second);
  }
}

TEST(BlockCacheTest, MemoryOfMallocIsFreedToo) {
  FreeBlock(std::malloc(24));
  FreeBlock(std::malloc(100'000));
  FreeBlock(nullptr);
}

TEST(BlockCacheTest, NothingIsReadBeforeMemoryThatBeginsAPage) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(mprotect(pages, page, PROT_NONE), 0);
  EXPECT_EQ(BlockSize(static_cast<char*>(pages) + page), 0u);
  munmap(pages, 2 * page);
  FreeBlock(std::aligned_alloc(page, page));
}

TEST(BlockCacheTest, NoBlockBeginsAPage) {
  for (const size_t size : {32, 100, 4'080, 8'000, 200'000}) {
    std::vector<void*> blocks;
    for (int i = 0; i < 2'000; ++i) {
      blocks.push_back(AllocateBlock(size));
      ASSERT_NE(reinterpret_cast<uintptr_t>(blocks.back()) % 4096, 0u);
      ASSERT_GE(BlockSize(blocks.back()), size);
    }
    for (void* const block : blocks) FreeBlock(block);
  }
}

TEST(BlockCacheTest, WhatDoesNotFitIsNull) {
  EXPECT_EQ(AllocateBlock(SIZE_MAX), nullptr);
  EXPECT_EQ(AllocateBlock(SIZE_MAX - 16), nullptr);
}

TEST(BlockCacheTest, OneThreadAllocatesAndAnotherFrees) {
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> blocks;
    std::thread([&] {
      for (int i = 0; i < 1'000; ++i) blocks.push_back(Filled(8'000));
    }).join();
    // More than is kept.
    for (void* const block : blocks) FreeBlock(block);
  }
}

TEST(GprAllocTest, ReallocKeepsTheContents) {
  auto* text = static_cast<char*>(gpr_malloc(6));
  std::strcpy(text, "hello");
  for (const size_t size : {7, 48, 49, 5'000, 70'000, 200'000, 6}) {
    text = static_cast<char*>(gpr_realloc(text, size));
    EXPECT_STREQ(text, "hello");
  }
  gpr_free(text);
  gpr_free(gpr_realloc(nullptr, 10));
  auto* const foreign = static_cast<char*>(std::malloc(6));
  std::strcpy(foreign, "hello");
  auto* const larger = static_cast<char*>(gpr_realloc(foreign, 10'000));
  EXPECT_STREQ(larger, "hello");
  gpr_free(larger);
}

TEST(GprAllocTest, ZallocIsZeroAlsoWhenTheBlockWasUsed) {
  for (const size_t size : {1, 100, 9'000}) {
    FreeBlock(Filled(size));
    auto* const bytes = static_cast<unsigned char*>(gpr_zalloc(size));
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], 0) << i;
    gpr_free(bytes);
  }
  EXPECT_EQ(gpr_malloc(0), nullptr);
  EXPECT_EQ(gpr_zalloc(0), nullptr);
}

TEST(GprAllocTest, AlignedBlocksAre) {
  for (const size_t alignment : {16, 64, 4'096}) {
    void* const block = gpr_malloc_aligned(1'000, alignment);
    std::memset(block, 1, 1'000);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0U);
    gpr_free_aligned(block);
  }
}

}  // namespace
}  // namespace uvgrpc
