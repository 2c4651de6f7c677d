// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_connect.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "src/core/lib/event_engine/tcp_socket_utils.h"
#include "src/iomgr_uv/endpoint_state.h"
#include "src/iomgr_uv/owned_fd.h"
#include "src/iomgr_uv/socket_address.h"
#include "src/iomgr_uv/sockets.h"
#include "src/iomgr_uv/uv_endpoint.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::MemoryAllocator;

// The listener of a Unix socket has no room for us: ask again after this, then
// after twice as long, and so on.
constexpr std::chrono::milliseconds kFirstRetry{1};
constexpr std::chrono::milliseconds kLastRetry{100};

constexpr char kFailedToConnect[] = "Failed to connect to remote host: ";

// The largest number that a ticket may be.
constexpr uint64_t kTicketMask = (uint64_t{1} << 40) - 1;

std::string FailedToConnect(const ResolvedAddress& peer) {
  return absl::StrCat(kFailedToConnect, Describe(peer));
}

// The same of a status that says what went wrong on the way.
absl::Status FailedToConnect(const ResolvedAddress& peer,
                             const absl::Status& why) {
  return absl::Status(why.code(),
                      absl::StrCat(FailedToConnect(peer), ": ", why.message()));
}

std::string Uri(const ResolvedAddress& peer) {
  return grpc_event_engine::experimental::ResolvedAddressToURI(peer).value_or(
      Describe(peer));
}

absl::Status LoopClosed(const ResolvedAddress& peer) {
  return absl::CancelledError(
      absl::StrCat(FailedToConnect(peer), ": the loop is closed"));
}

}  // namespace

// One attempt, on the loop. It is in the table, and perhaps in a timer and in
// libuv's request; it ends when it completes, is aborted, or the loop closes.
// Loop thread.
class ConnectTable::Attempt final
    : public LoopObject,
      public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<ConnectTable> table, Ticket ticket,
          const ResolvedAddress& peer, TcpOptions options,
          MemoryAllocator allocator)
      : LoopObject(table->bridge_.get()),
        table_(std::move(table)),
        ticket_(ticket),
        peer_(peer),
        options_(std::move(options)),
        allocator_(std::move(allocator)) {}

  // `fd` as in ConnectTable::Connect.
  void Start(OwnedFd fd, EventEngine::Duration timeout) {
    absl::Status status = Open(&fd);
    if (!status.ok()) return FinishLater(std::move(status));
    timer_ = table_->timers_->Add(
        std::max(timeout, EventEngine::Duration::zero()),
        [self = shared_from_this(), timeout] { self->HandleTimeout(timeout); });
    state_ = std::make_shared<EndpointState>(table_->bridge_, std::move(fd),
                                             FamilyOf(peer_), options_,
                                             std::move(allocator_));
    status = state_->Attach();
    if (!status.ok()) return FinishLater(FailedToConnect(peer_, status));
    Connect();
  }

  // Drops the socket. The callback is somebody else's business.
  void Abort() {
    if (std::exchange(ended_, true)) return;
    if (state_ != nullptr) state_->Close();
    state_.reset();
    CancelTimer(&timer_);
    CancelTimer(&retry_timer_);
  }

  void HandleLoopClosing() override {
    if (!ended_) FinishLater(LoopClosed(peer_));
  }

 private:
  // Checks the address and makes the socket, if there is none yet.
  absl::Status Open(OwnedFd* fd) {
    absl::Status status = CheckSupported(peer_);
    if (!status.ok()) return FailedToConnect(peer_, status);
    if (fd->is_open()) return absl::OkStatus();
    peer_ = Unmapped(peer_);
    const int family = FamilyOf(peer_);
    fd->Reset(OpenSocket(family, SOCK_STREAM, 0));
    if (!fd->is_open()) {
      return ErrnoStatus(errno,
                         absl::StrCat(FailedToConnect(peer_), ": socket"));
    }
    status = PrepareClientSocket(fd->get(), family, options_);
    return status.ok() ? status : FailedToConnect(peer_, status);
  }

  void Connect() {
    const int error =
        state_->Connect(peer_, [self = shared_from_this()](int error) {
          self->HandleConnected(error);
        });
    if (error == EAGAIN && IsUnixAddress(peer_)) return RetryLater();
    if (error != 0) {
      FinishLater(ConnectFailed(Uri(peer_), error, /*at_once=*/true));
    }
  }

  void RetryLater() {
    retry_timer_ =
        table_->timers_->Add(retry_delay_, [self = shared_from_this()] {
          self->retry_timer_ = TimerQueue::kNoTicket;
          if (!self->ended_) self->Connect();
        });
    retry_delay_ = std::min(2 * retry_delay_, kLastRetry);
  }

  void HandleConnected(int error) {
    if (ended_) return;
    if (error == 0) return FinishConnected();
    const std::shared_ptr<ConnectTable> table = table_;
    Abort();
    table->Complete(ticket_,
                    ConnectFailed(Uri(peer_), error, /*at_once=*/false));
  }

  void FinishConnected() {
    const std::shared_ptr<ConnectTable> table = table_;
    Result result = UvEndpoint::FromState(std::exchange(state_, nullptr));
    Abort();
    if (!result.ok()) {
      result = absl::UnavailableError(absl::StrCat(FailedToConnect(peer_), ": ",
                                                   result.status().message()));
    }
    table->Complete(ticket_, std::move(result));
  }

  void HandleTimeout(EventEngine::Duration timeout) {
    if (ended_) return;
    timer_ = TimerQueue::kNoTicket;
    Abort();
    table_->Complete(ticket_,
                     absl::DeadlineExceededError(absl::StrCat(
                         kFailedToConnect, "connect() timed out after ",
                         absl::FormatDuration(absl::FromChrono(timeout)), ": ",
                         Describe(peer_))));
  }

  // Ends with an error that came up inside Connect or while the loop closes.
  void FinishLater(absl::Status status) {
    Abort();
    table_->bridge_->Post([table = table_, ticket = ticket_,
                           status = std::move(status)]() mutable {
      table->Complete(ticket, std::move(status));
    });
  }

  void CancelTimer(TimerQueue::Ticket* timer) {
    if (*timer == TimerQueue::kNoTicket) return;
    table_->timers_->Cancel(std::exchange(*timer, TimerQueue::kNoTicket));
  }

  const std::shared_ptr<ConnectTable> table_;
  const Ticket ticket_;
  ResolvedAddress peer_;
  const TcpOptions options_;
  MemoryAllocator allocator_;
  bool ended_ = false;
  // Until it is connected, or the attempt ends.
  std::shared_ptr<EndpointState> state_;
  TimerQueue::Ticket timer_ = TimerQueue::kNoTicket;
  TimerQueue::Ticket retry_timer_ = TimerQueue::kNoTicket;
  std::chrono::milliseconds retry_delay_ = kFirstRetry;
};

ConnectTable::ConnectTable(std::shared_ptr<LoopBridge> bridge,
                           std::shared_ptr<TimerQueue> timers)
    : bridge_(std::move(bridge)), timers_(std::move(timers)) {}

ConnectTable::~ConnectTable() = default;

ConnectTable::Ticket ConnectTable::Connect(
    int fd, EventEngine::OnConnectCallback on_connect,
    const EventEngine::ResolvedAddress& address, TcpOptions options,
    MemoryAllocator allocator, EventEngine::Duration timeout) {
  Ticket ticket;
  {
    absl::MutexLock lock(mu_);
    do {
      last_ticket_ = (last_ticket_ + 1) & kTicketMask;
    } while (last_ticket_ == kNoTicket || entries_.count(last_ticket_) != 0);
    ticket = last_ticket_;
    entries_.emplace(ticket, Entry{std::move(on_connect), nullptr});
  }
  auto start = [self = shared_from_this(), ticket, fd = OwnedFd(fd), address,
                options = std::move(options), allocator = std::move(allocator),
                timeout]() mutable {
    if (self->bridge_->is_closed()) {
      return self->Complete(ticket, LoopClosed(address));
    }
    auto attempt = std::make_shared<Attempt>(
        self, ticket, address, std::move(options), std::move(allocator));
    if (!self->Register(ticket, attempt)) return attempt->Abort();
    attempt->Start(std::move(fd), timeout);
  };
  if (bridge_->InLoopThread() && !bridge_->is_closed()) {
    start();
  } else {
    bridge_->Post(std::move(start));
  }
  return ticket;
}

bool ConnectTable::Cancel(Ticket ticket) {
  std::optional<Entry> entry = Take(ticket);
  if (!entry.has_value()) return false;
  if (entry->attempt == nullptr) return true;  // sees it when it starts
  if (bridge_->InLoopThread()) {
    entry->attempt->Abort();
  } else {
    // The reference must be dropped on the loop thread.
    bridge_->Post([attempt = std::move(entry->attempt)] { attempt->Abort(); });
  }
  return true;
}

bool ConnectTable::Register(Ticket ticket, std::shared_ptr<Attempt> attempt) {
  absl::MutexLock lock(mu_);
  const auto it = entries_.find(ticket);
  if (it == entries_.end()) return false;
  it->second.attempt = std::move(attempt);
  return true;
}

std::optional<ConnectTable::Entry> ConnectTable::Take(Ticket ticket) {
  absl::MutexLock lock(mu_);
  const auto it = entries_.find(ticket);
  if (it == entries_.end()) return std::nullopt;
  std::optional<Entry> entry(std::move(it->second));
  entries_.erase(it);
  return entry;
}

void ConnectTable::Complete(Ticket ticket, Result result) {
  std::optional<Entry> entry = Take(ticket);
  if (!entry.has_value()) return;
  entry->attempt.reset();
  entry->on_connect(std::move(result));
}

}  // namespace uvgrpc
