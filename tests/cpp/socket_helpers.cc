// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/socket_helpers.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"

namespace uvgrpc {

using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;
using grpc_event_engine::experimental::MemoryRequest;
using grpc_event_engine::experimental::Slice;
using grpc_event_engine::experimental::SliceBuffer;

namespace {

class CountingImpl final
    : public grpc_event_engine::experimental::internal::MemoryAllocatorImpl {
 public:
  explicit CountingImpl(std::shared_ptr<AllocationCounts> counts)
      : counts_(std::move(counts)) {}
  size_t Reserve(MemoryRequest request) override {
    counts_->bytes_in_use += request.max();
    return request.max();
  }
  grpc_slice MakeSlice(MemoryRequest request) override {
    ++counts_->slices;
    counts_->slice_bytes += request.max();
    return grpc_slice_malloc_large(request.max());
  }
  void Release(size_t size) override { counts_->bytes_in_use -= size; }
  void Shutdown() override {}

 private:
  const std::shared_ptr<AllocationCounts> counts_;
};

// A fresh directory for sockets, removed with all that is in it.
class SocketDirectory {
 public:
  SocketDirectory() {
    std::string path =
        (std::filesystem::temp_directory_path() / "uvgrpc-XXXXXX").string();
    CHECK(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~SocketDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class HeapFactory final : public MemoryAllocatorFactory {
 public:
  MemoryAllocator CreateMemoryAllocator(absl::string_view) override {
    return MemoryAllocator();
  }
};

}  // namespace

ResolvedAddress Address(const std::string& uri) {
  auto address = grpc_event_engine::experimental::URIToResolvedAddress(uri);
  CHECK_OK(address.status());
  return *address;
}

std::string FreshUnixPath() {
  // A directory of this process's own: a process id alone comes back, and so
  // would the path of a socket that an earlier process left behind.
  static const SocketDirectory directory;
  static std::atomic<int> next{0};
  return absl::StrCat(directory.path(), "/", next++, ".sock");
}

PlainListener Listen(const std::string& uri, int backlog) {
  ResolvedAddress wanted = Address(uri);
  OwnedFd fd(socket(FamilyOf(wanted), SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(fd.is_open());
  CHECK_EQ(bind(fd.get(), wanted.address(), wanted.size()), 0);
  CHECK_EQ(listen(fd.get(), backlog), 0);
  auto bound = LocalAddressOf(fd.get());
  CHECK_OK(bound.status());
  return PlainListener{std::move(fd), *bound};
}

OwnedFd Accept(const PlainListener& listener) {
  return OwnedFd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

OwnedFd ConnectTo(const ResolvedAddress& address) {
  OwnedFd fd(socket(FamilyOf(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), address.address(), address.size()) != 0) fd.Reset();
  return fd;
}

std::pair<OwnedFd, OwnedFd> TcpPair() {
  PlainListener listener = Listen("ipv4:127.0.0.1:0");
  OwnedFd client = ConnectTo(listener.address);
  CHECK(client.is_open());
  OwnedFd server = Accept(listener);
  CHECK(server.is_open());
  return {std::move(client), std::move(server)};
}

std::pair<OwnedFd, OwnedFd> UnixPair() {
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {OwnedFd(fds[0]), OwnedFd(fds[1])};
}

void SendAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    CHECK_GT(sent, 0);
    data.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string Receive(int fd, size_t size) {
  std::string data(size, '\0');
  size_t got = 0;
  while (got < size) {
    const ssize_t n = recv(fd, &data[got], size - got, 0);
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  data.resize(got);
  return data;
}

bool SeesEof(int fd) {
  pollfd entry{fd, POLLIN, 0};
  char byte;
  return poll(&entry, 1, 5000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

int OpenDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != nullptr);
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

void Append(SliceBuffer* buffer, absl::string_view text, size_t piece) {
  while (!text.empty()) {
    const absl::string_view part = text.substr(0, std::min(piece, text.size()));
    buffer->Append(
        Slice(grpc_slice_from_copied_buffer(part.data(), part.size())));
    text.remove_prefix(part.size());
  }
}

std::string Text(SliceBuffer* buffer) {
  std::string text;
  for (size_t i = 0; i < buffer->Count(); ++i) {
    absl::StrAppend(&text, (*buffer)[i].as_string_view());
  }
  return text;
}

MemoryAllocator CountingAllocator(std::shared_ptr<AllocationCounts> counts) {
  return MemoryAllocator(std::make_shared<CountingImpl>(std::move(counts)));
}

std::unique_ptr<MemoryAllocatorFactory> HeapAllocatorFactory() {
  return std::make_unique<HeapFactory>();
}

}  // namespace uvgrpc
