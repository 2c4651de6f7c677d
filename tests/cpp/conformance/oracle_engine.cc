// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/conformance/oracle_engine.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc::conformance {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;
using grpc_event_engine::experimental::Slice;
using grpc_event_engine::experimental::SliceBuffer;

// A connected, blocking socket. Shared by its endpoint and the threads that
// read and write it, so that its number stays taken while one of them uses it.
struct Socket {
  explicit Socket(OwnedFd owned) : fd(std::move(owned)) {}
  const OwnedFd fd;
};

class OracleEndpoint final : public EventEngine::Endpoint {
 public:
  OracleEndpoint(std::shared_ptr<OracleThreads> threads, OwnedFd fd)
      : threads_(std::move(threads)),
        peer_(PeerAddressOf(fd.get()).value_or(EventEngine::ResolvedAddress())),
        local_(
            LocalAddressOf(fd.get()).value_or(EventEngine::ResolvedAddress())),
        socket_(std::make_shared<Socket>(std::move(fd))) {}

  // Ends what the threads wait for. What the kernel has is still sent.
  ~OracleEndpoint() override { shutdown(socket_->fd.get(), SHUT_RDWR); }

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read, SliceBuffer* buffer,
            ReadArgs /*args*/) override {
    threads_->Start([socket = socket_, on_read = std::move(on_read),
                     buffer]() mutable {
      std::vector<char> data(65536);
      const ssize_t size = recv(socket->fd.get(), data.data(), data.size(), 0);
      if (size > 0) {
        buffer->Append(
            Slice::FromCopiedBuffer(data.data(), static_cast<size_t>(size)));
        on_read(absl::OkStatus());
      } else {
        on_read(size == 0 ? absl::UnavailableError("Socket closed")
                          : ConnectionLost("recvmsg:", errno));
      }
    });
    return false;
  }

  bool Write(absl::AnyInvocable<void(absl::Status)> on_writable,
             SliceBuffer* data, WriteArgs /*args*/) override {
    std::string text(data->Length(), '\0');
    data->MoveFirstNBytesIntoBuffer(text.size(), text.data());
    threads_->Start([socket = socket_, on_writable = std::move(on_writable),
                     text = std::move(text)]() mutable {
      size_t sent = 0;
      while (sent < text.size()) {
        const ssize_t size = send(socket->fd.get(), text.data() + sent,
                                  text.size() - sent, MSG_NOSIGNAL);
        if (size < 0) return on_writable(ConnectionLost("sendmsg: ", errno));
        sent += static_cast<size_t>(size);
      }
      on_writable(absl::OkStatus());
    });
    return false;
  }

  const EventEngine::ResolvedAddress& GetPeerAddress() const override {
    return peer_;
  }
  const EventEngine::ResolvedAddress& GetLocalAddress() const override {
    return local_;
  }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override {
    return nullptr;
  }

 private:
  const std::shared_ptr<OracleThreads> threads_;
  const EventEngine::ResolvedAddress peer_;
  const EventEngine::ResolvedAddress local_;
  const std::shared_ptr<Socket> socket_;
};

class OracleListener final : public EventEngine::Listener {
 public:
  OracleListener(std::shared_ptr<OracleThreads> threads,
                 AcceptCallback on_accept,
                 absl::AnyInvocable<void(absl::Status)> on_shutdown,
                 std::unique_ptr<MemoryAllocatorFactory> allocators)
      : threads_(std::move(threads)),
        state_(std::make_shared<State>(std::move(on_accept),
                                       std::move(on_shutdown),
                                       std::move(allocators))) {}

  // Wakes the threads that accept; the last one says on_shutdown.
  ~OracleListener() override {
    for (const auto& socket : sockets_) shutdown(socket->fd.get(), SHUT_RDWR);
    threads_->Start([state = std::move(state_)] {});
  }

  absl::StatusOr<int> Bind(
      const EventEngine::ResolvedAddress& address) override {
    OwnedFd fd(socket(FamilyOf(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (FamilyOf(address) != AF_UNIX) {
      const int on = 1;
      setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd.get(), address.address(), address.size()) != 0) {
      return ErrnoStatus(errno, "oracle: bind");
    }
    const auto bound = LocalAddressOf(fd.get());
    sockets_.push_back(std::make_shared<Socket>(std::move(fd)));
    return IsUnixAddress(address)
               ? 1
               : grpc_event_engine::experimental::ResolvedAddressGetPort(
                     *bound);
  }

  absl::Status Start() override {
    for (const auto& socket : sockets_) {
      CHECK_EQ(listen(socket->fd.get(), 128), 0);
      threads_->Start([threads = threads_, socket, state = state_] {
        while (true) {
          OwnedFd fd(accept4(socket->fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (!fd.is_open()) return;
          state->Accept(
              std::make_unique<OracleEndpoint>(threads, std::move(fd)));
        }
      });
    }
    return absl::OkStatus();
  }

 private:
  // Dies with the last thread that accepts.
  struct State {
    State(AcceptCallback on_accept,
          absl::AnyInvocable<void(absl::Status)> on_shutdown,
          std::unique_ptr<MemoryAllocatorFactory> allocators)
        : on_accept(std::move(on_accept)),
          on_shutdown(std::move(on_shutdown)),
          allocators(std::move(allocators)) {}
    ~State() { on_shutdown(absl::OkStatus()); }

    void Accept(std::unique_ptr<EventEngine::Endpoint> endpoint) {
      absl::MutexLock lock(mu);
      on_accept(std::move(endpoint),
                allocators->CreateMemoryAllocator("oracle"));
    }

    absl::Mutex mu;
    AcceptCallback on_accept;
    absl::AnyInvocable<void(absl::Status)> on_shutdown;
    const std::unique_ptr<MemoryAllocatorFactory> allocators;
  };

  const std::shared_ptr<OracleThreads> threads_;
  std::shared_ptr<State> state_;
  std::vector<std::shared_ptr<Socket>> sockets_;
};

}  // namespace

template <typename T>
class OracleEngine::Table {
 public:
  intptr_t Add(T value) {
    absl::MutexLock lock(mu_);
    values_.emplace(++last_, std::move(value));
    return last_;
  }
  // Null when somebody else took it.
  T Take(intptr_t key) {
    absl::MutexLock lock(mu_);
    auto node = values_.extract(key);
    return node.empty() ? T() : std::move(node.mapped());
  }
  bool Has(intptr_t key) {
    absl::MutexLock lock(mu_);
    return values_.count(key) != 0;
  }
  // Until `deadline` or until `key` was taken.
  void WaitFor(intptr_t key, absl::Time deadline) {
    const auto taken = [this, key]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return values_.count(key) == 0;
    };
    absl::MutexLock lock(mu_);
    mu_.AwaitWithDeadline(absl::Condition(&taken), deadline);
  }

 private:
  absl::Mutex mu_;
  intptr_t last_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<intptr_t, T> values_ ABSL_GUARDED_BY(mu_);
};

void OracleThreads::Join() {
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return running_ == 0;
  };
  absl::MutexLock lock(mu_);
  mu_.Await(absl::Condition(&none));
}

void OracleThreads::Start(absl::AnyInvocable<void()> work) {
  {
    absl::MutexLock lock(mu_);
    ++running_;
  }
  std::thread([this, self = shared_from_this(),
               work = std::move(work)]() mutable {
    work();
    work = nullptr;
    absl::MutexLock lock(mu_);
    --running_;
  }).detach();
}

OracleEngine::OracleEngine()
    : threads_(std::make_shared<OracleThreads>()),
      timers_(std::make_shared<Table<absl::AnyInvocable<void()>>>()),
      attempts_(std::make_shared<Table<OnConnectCallback>>()) {}

OracleEngine::~OracleEngine() { threads_->Join(); }

absl::StatusOr<std::unique_ptr<EventEngine::Listener>>
OracleEngine::CreateListener(
    Listener::AcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown,
    const EndpointConfig& /*config*/,
    std::unique_ptr<MemoryAllocatorFactory> memory_allocator_factory) {
  return std::make_unique<OracleListener>(threads_, std::move(on_accept),
                                          std::move(on_shutdown),
                                          std::move(memory_allocator_factory));
}

EventEngine::ConnectionHandle OracleEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& address,
    const EndpointConfig& /*config*/, MemoryAllocator /*memory_allocator*/,
    Duration timeout) {
  const intptr_t key = attempts_->Add(std::move(on_connect));
  threads_->Start([threads = threads_, attempts = attempts_, key, address,
                   timeout] {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const auto finish = [&](absl::StatusOr<std::unique_ptr<Endpoint>> result) {
      OnConnectCallback callback = attempts->Take(key);
      if (callback != nullptr) callback(std::move(result));
    };
    OwnedFd fd(socket(FamilyOf(address),
                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    bool at_once = true;
    while (connect(fd.get(), address.address(), address.size()) != 0) {
      if (errno == EISCONN) break;
      // EAGAIN is a full queue of a Unix socket.
      if (errno != EINPROGRESS && errno != EALREADY && errno != EAGAIN) {
        return finish(ConnectFailed(Describe(address), errno, at_once));
      }
      at_once = false;
      if (!attempts->Has(key)) return;
      if (std::chrono::steady_clock::now() >= deadline) {
        return finish(absl::DeadlineExceededError("oracle: connect"));
      }
      pollfd waiting{fd.get(), POLLOUT, 0};
      poll(&waiting, 1, 10);
    }
    fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
    finish(std::make_unique<OracleEndpoint>(threads, std::move(fd)));
  });
  return ConnectionHandle{{key, 0}};
}

bool OracleEngine::CancelConnect(ConnectionHandle handle) {
  return attempts_->Take(handle.keys[0]) != nullptr;
}

bool OracleEngine::IsWorkerThread() { return false; }

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>>
OracleEngine::GetDNSResolver(const DNSResolver::ResolverOptions& /*options*/) {
  return absl::UnimplementedError("the oracle knows no names");
}

void OracleEngine::Run(Closure* closure) {
  threads_->Start([closure] { closure->Run(); });
}

void OracleEngine::Run(absl::AnyInvocable<void()> closure) {
  threads_->Start(std::move(closure));
}

EventEngine::TaskHandle OracleEngine::RunAfter(Duration when,
                                               Closure* closure) {
  return RunAfter(when, [closure] { closure->Run(); });
}

EventEngine::TaskHandle OracleEngine::RunAfter(
    Duration when, absl::AnyInvocable<void()> closure) {
  const intptr_t key = timers_->Add(std::move(closure));
  const auto due = std::chrono::steady_clock::now() + when;
  threads_->Start([timers = timers_, key, due] {
    while (true) {
      const auto left = due - std::chrono::steady_clock::now();
      if (left <= Duration::zero() || !timers->Has(key)) break;
      timers->WaitFor(key, absl::Now() + absl::FromChrono(left));
    }
    absl::AnyInvocable<void()> work = timers->Take(key);
    if (work != nullptr) work();
  });
  return TaskHandle{{key, 0}};
}

bool OracleEngine::Cancel(TaskHandle handle) {
  return timers_->Take(handle.keys[0]) != nullptr;
}

}  // namespace uvgrpc::conformance
