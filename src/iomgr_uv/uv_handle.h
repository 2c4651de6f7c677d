// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The one way in which the engine owns a libuv handle.

#ifndef UVGRPC_IOMGR_UV_UV_HANDLE_H_
#define UVGRPC_IOMGR_UV_UV_HANDLE_H_

#include <uv.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "src/iomgr_uv/loop_bridge.h"

namespace uvgrpc {

// A libuv handle on the heap: Init, then Close once, then freed by libuv's
// close callback. `T` is the handle type the user works with; `Owner` is the
// object that the trampolines forward to. A descriptor that it watches is the
// owner's, who closes it afterwards.
//
// The memory is `header + uv_handle_size(type)`, because the libuv that owns
// the loop may be newer than our headers. `handle->data` stays null for the
// whole life: uvloop casts it to a class of its own when it closes the loop.
//
// Loop thread only. Not movable: libuv and the owner keep the address.
template <typename T, typename Owner>
class UvHandle {
 public:
  UvHandle() = default;
  UvHandle(const UvHandle&) = delete;
  UvHandle& operator=(const UvHandle&) = delete;
  ~UvHandle() { Close(nullptr); }

  // Calls `init(T*)`, which must call the right `uv_*_init` and return its
  // result. On success the handle is unreferenced: gRPC never keeps a loop
  // alive. On failure nothing is left behind.
  template <typename InitFn>
  int Init(std::shared_ptr<LoopBridge> bridge, Owner* owner,
           uv_handle_type type, InitFn init) {
    const size_t size = std::max(bridge->uv().handle_size(type), sizeof(T));
    void* memory = std::calloc(1, kOffset + size);
    if (memory == nullptr) return UV_ENOMEM;
    Header* header = new (memory) Header;
    header->owner = owner;
    header->type = type;
    header->bridge = std::move(bridge);
    T* handle = HandleOf(header);
    const int error = init(handle);
    if (error != 0) {
      Free(header);
      return error;
    }
    auto* base = reinterpret_cast<uv_handle_t*>(handle);
    base->data = nullptr;
    header->bridge->uv().unref(base);
    header->bridge->CountHandle(type, +1);
    header_ = header;
    return 0;
  }

  // Closes the handle, if it is open. libuv lets go of what it watches before
  // this returns; its memory, and `keep_alive`, live until libuv's close
  // callback.
  void Close(std::shared_ptr<void> keep_alive) {
    if (header_ == nullptr) return;
    Header* header = std::exchange(header_, nullptr);
    header->keep_alive = std::move(keep_alive);
    header->bridge->uv().close(reinterpret_cast<uv_handle_t*>(HandleOf(header)),
                               &UvHandle::OnClosed);
  }

  bool is_open() const { return header_ != nullptr; }

  // The handle; null when not open.
  T* get() const { return header_ == nullptr ? nullptr : HandleOf(header_); }
  uv_handle_t* base() const { return reinterpret_cast<uv_handle_t*>(get()); }

  // For trampolines: the owner of a handle that libuv called us with.
  template <typename U>
  static Owner* OwnerOf(U* handle) {
    return HeaderOf(handle)->owner;
  }

 private:
  struct Header {
    Owner* owner = nullptr;
    uv_handle_type type = UV_UNKNOWN_HANDLE;
    std::shared_ptr<LoopBridge> bridge;
    std::shared_ptr<void> keep_alive;
  };
  static constexpr size_t kAlign = alignof(std::max_align_t);
  static constexpr size_t kOffset =
      (sizeof(Header) + kAlign - 1) / kAlign * kAlign;

  static T* HandleOf(Header* header) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(header) + kOffset);
  }
  template <typename U>
  static Header* HeaderOf(U* handle) {
    return reinterpret_cast<Header*>(reinterpret_cast<char*>(handle) - kOffset);
  }
  static void Free(Header* header) {
    header->~Header();
    std::free(header);
  }
  static void OnClosed(uv_handle_t* handle) {
    Header* header = HeaderOf(handle);
    header->bridge->CountHandle(header->type, -1);
    Free(header);
  }

  Header* header_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_HANDLE_H_
