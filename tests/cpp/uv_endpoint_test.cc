// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_endpoint.h"

#include <grpc/event_engine/slice_buffer.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "tests/cpp/endpoint_fixture.h"
#include "tests/cpp/socket_helpers.h"

namespace uvgrpc {
namespace {

using grpc_event_engine::experimental::EndpointSupportsFdExtension;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::QueryExtension;
using grpc_event_engine::experimental::SliceBuffer;
using Endpoint = EventEngine::Endpoint;
using WriteEvent = Endpoint::WriteEvent;
using UvEndpointTest = EndpointFixture;

TEST_F(UvEndpointTest, ReadsWhatThePeerSends) {
  MakeTcp();
  SendAll(peer_.get(), "hello");
  EXPECT_EQ(ReadText(), "hello");
  SendAll(peer_.get(), "again");
  EXPECT_EQ(ReadText(), "again");
}

TEST_F(UvEndpointTest, WritesReachThePeerAtOnce) {
  MakeTcp();
  SliceBuffer data;
  Append(&data, "many small pieces", 2);
  Outcome write;
  EXPECT_TRUE(endpoint_->Write(write.Callback(), &data, {}));
  EXPECT_EQ(Receive(peer_.get(), 17), "many small pieces");
  RunFor(std::chrono::milliseconds(5));
  EXPECT_EQ(write.calls, 0);
}

TEST_F(UvEndpointTest, AWriteOfMoreSlicesThanOneSystemCallTakes) {
  MakeTcp();
  std::string text(100000, '?');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i % 251);
  SliceBuffer data;
  Append(&data, text, 40);  // 2500 slices, too long to be merged
  EXPECT_GT(data.Count(), 2000u);
  std::string got;
  std::thread reader([&] { got = Receive(peer_.get(), text.size()); });
  Outcome write;
  if (!endpoint_->Write(write.Callback(), &data, {})) {
    EXPECT_TRUE(RunUntil([&] { return write.done(); }));
  }
  reader.join();
  EXPECT_EQ(got, text);
}

TEST_F(UvEndpointTest, EmptyWritesSucceed) {
  MakeTcp();
  SliceBuffer none;
  Outcome write;
  EXPECT_TRUE(endpoint_->Write(write.Callback(), &none, {}));
  SliceBuffer empty;
  empty.AppendIndexed(grpc_event_engine::experimental::Slice());
  EXPECT_TRUE(endpoint_->Write(write.Callback(), &empty, {}));
  EXPECT_EQ(write.calls, 0);
}

TEST_F(UvEndpointTest, WorksOnUnixSockets) {
  auto [ours, theirs] = UnixPair();
  endpoint_ = Make(std::move(ours));
  SendAll(theirs.get(), "ping");
  EXPECT_EQ(ReadText(), "ping");
  WriteText("pong");
  EXPECT_EQ(Receive(theirs.get(), 4), "pong");
}

TEST_F(UvEndpointTest, KnowsItsAddresses) {
  MakeTcp();
  EXPECT_EQ(Describe(endpoint_->GetPeerAddress()),
            Describe(*LocalAddressOf(peer_.get())));
  EXPECT_EQ(Describe(endpoint_->GetLocalAddress()),
            Describe(*PeerAddressOf(peer_.get())));
}

TEST_F(UvEndpointTest, AnUnconnectedSocketIsRefusedAndClosed) {
  (void)bridge();
  const int before = OpenDescriptors();
  OwnedFd fd(socket(AF_INET, SOCK_STREAM, 0));
  auto endpoint = UvEndpoint::FromFd(bridge(), fd.Take(), TcpOptions(), {});
  EXPECT_FALSE(endpoint.ok());
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(UvEndpointTest, ReadAgainFromInsideOnRead) {
  MakeTcp();
  struct Reader {
    Endpoint* endpoint;
    SliceBuffer buffer;
    std::string got;
    int callbacks = 0;
    void Next() {
      while (endpoint->Read([this](absl::Status status) { Done(status); },
                            &buffer, {})) {
        got += Text(&buffer);
      }
    }
    void Done(absl::Status status) {
      ++callbacks;
      if (!status.ok()) return;
      got += Text(&buffer);
      Next();
    }
  } reader{endpoint_.get(), {}, "", 0};
  reader.Next();
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string part(static_cast<size_t>(i * 37 % 900 + 1), 'a' + i % 26);
    SendAll(peer_.get(), part);
    sent += part;
    ASSERT_TRUE(RunUntil([&] { return reader.got.size() == sent.size(); }));
  }
  EXPECT_EQ(reader.got, sent);
  endpoint_.reset();
  ASSERT_TRUE(RunUntil(
      [&] { return bridge()->handle_count() == LoopBridge::kOwnHandles; }));
}

TEST_F(UvEndpointTest, DataThatCameBeforeAReadIsThereAtOnce) {
  MakeTcp();
  SendAll(peer_.get(), "one");
  EXPECT_EQ(ReadText(), "one");
  SendAll(peer_.get(), "two");
  RunFor(std::chrono::milliseconds(20));
  SliceBuffer buffer;
  Outcome read;
  EXPECT_TRUE(endpoint_->Read(read.Callback(), &buffer, {}));
  EXPECT_EQ(Text(&buffer), "two");
  EXPECT_EQ(read.calls, 0);
}

TEST_F(UvEndpointTest, ReadAheadIsBoundedAndGoesOn) {
  MakeTcp();
  SendAll(peer_.get(), "x");
  EXPECT_EQ(ReadText(), "x");
  const std::string text = LargeText();
  std::thread sender([&] { SendAll(peer_.get(), text); });
  // Until data stays in the kernel.
  const int fd = QueryExtension<EndpointSupportsFdExtension>(endpoint_.get())
                     ->GetWrappedFd();
  int before = 0;
  int in_kernel = 0;
  do {
    before = in_kernel;
    RunFor(std::chrono::milliseconds(20));
    ASSERT_EQ(ioctl(fd, FIONREAD, &in_kernel), 0);
  } while (in_kernel == 0 || in_kernel != before);
  SliceBuffer buffer;
  Outcome read;
  ASSERT_TRUE(endpoint_->Read(read.Callback(), &buffer, {}));
  EXPECT_GE(buffer.Length(), EndpointState::kMaxBuffered);
  EXPECT_LE(buffer.Length(), EndpointState::kMaxBuffered + 128 * 1024);
  size_t got = buffer.Length();
  while (got < text.size()) {
    auto part = ReadText();
    ASSERT_TRUE(part.has_value()) << status_;
    got += part->size();
  }
  sender.join();
  EXPECT_EQ(got, text.size());
}

TEST_F(UvEndpointTest, AReadDoesNotWaitForItsHint) {
  MakeTcp();
  SliceBuffer buffer;
  Outcome read;
  Endpoint::ReadArgs args;
  args.set_read_hint_bytes(10);
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, args));
  SendAll(peer_.get(), "12345");
  ASSERT_TRUE(RunUntil([&] { return read.done(); }, std::chrono::seconds(1)));
  EXPECT_EQ(Text(&buffer), "12345");
  // Nor for what came before it.
  SendAll(peer_.get(), "678");
  RunFor(std::chrono::milliseconds(20));
  EXPECT_TRUE(endpoint_->Read(read.Callback(), &buffer, args));
  EXPECT_EQ(Text(&buffer), "678");
}

TEST_F(UvEndpointTest, AHugeHintDoesNotBufferWithoutBound) {
  MakeTcp();
  const std::string text = LargeText();
  std::thread sender([&] { SendAll(peer_.get(), text); });
  size_t got = 0;
  while (got < text.size()) {
    auto part = ReadText(/*hint=*/int64_t{1} << 40);
    ASSERT_TRUE(part.has_value());
    EXPECT_LE(part->size(), EndpointState::kMaxBuffered + 128 * 1024);
    got += part->size();
    if (text.size() - got < EndpointState::kMaxBuffered) break;
  }
  while (got < text.size()) got += ReadText()->size();
  sender.join();
}

TEST_F(UvEndpointTest, AWriteTooLargeForTheKernelCompletesLater) {
  MakeTcp();
  const std::string text = LargeText();
  SliceBuffer data;
  Append(&data, text, 1 << 20);
  Outcome write;
  ASSERT_FALSE(endpoint_->Write(write.Callback(), &data, {}));
  std::string got;
  std::thread reader([&] { got = Receive(peer_.get(), text.size()); });
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_TRUE(write.status.ok()) << write.status;
  reader.join();
  EXPECT_TRUE(got == text);
  WriteText("next");
  EXPECT_EQ(Receive(peer_.get(), 4), "next");
}

TEST_F(UvEndpointTest, TheBufferOfAPendingWriteMayGoAtOnce) {
  MakeTcp();
  const std::string text = LargeText();
  auto data = std::make_unique<SliceBuffer>();
  Append(data.get(), text);
  Outcome write;
  ASSERT_FALSE(endpoint_->Write(write.Callback(), data.get(), {}));
  data.reset();
  endpoint_.reset();
  EXPECT_EQ(write.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_EQ(write.status.code(), absl::StatusCode::kCancelled);
  RunFor(std::chrono::milliseconds(10));
  EXPECT_EQ(write.calls, 1);
}

TEST_F(UvEndpointTest, DestroyCancelsThePendingReadOnceAndLater) {
  MakeTcp();
  auto buffer = std::make_unique<SliceBuffer>();
  Outcome read;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), buffer.get(), {}));
  endpoint_.reset();
  EXPECT_EQ(read.calls, 0);
  ASSERT_TRUE(RunUntil([&] { return read.done(); }));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(SeesEof(peer_.get()));
  RunFor(std::chrono::milliseconds(10));
  EXPECT_EQ(read.calls, 1);
}

TEST_F(UvEndpointTest, DestroyFromInsideOnRead) {
  MakeTcp();
  SliceBuffer buffer;
  bool called = false;
  EXPECT_FALSE(endpoint_->Read(
      [&](absl::Status status) {
        EXPECT_TRUE(status.ok());
        endpoint_.reset();
        called = true;
      },
      &buffer, {}));
  SendAll(peer_.get(), "boom");
  ASSERT_TRUE(RunUntil([&] { return called; }));
  EXPECT_TRUE(SeesEof(peer_.get()));
}

TEST_F(UvEndpointTest, DestroyFromInsideOnWritable) {
  MakeTcp();
  SliceBuffer data;
  Append(&data, LargeText());
  bool called = false;
  ASSERT_FALSE(endpoint_->Write(
      [&](absl::Status status) {
        EXPECT_TRUE(status.ok());
        endpoint_.reset();
        called = true;
      },
      &data, {}));
  std::thread reader([&] { Receive(peer_.get(), 17 << 20); });
  ASSERT_TRUE(RunUntil([&] { return called; }));
  reader.join();
}

TEST_F(UvEndpointTest, LoopShutdownCompletesEverythingWithoutRunning) {
  MakeTcp();
  SliceBuffer buffer;
  SliceBuffer data;
  Append(&data, LargeText());
  Outcome read;
  Outcome write;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
  EXPECT_FALSE(endpoint_->Write(write.Callback(), &data, {}));
  bridge()->Shutdown();
  EXPECT_EQ(read.calls, 1);
  EXPECT_EQ(write.calls, 1);
  EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(write.status.code(), absl::StatusCode::kCancelled);
}

TEST_F(UvEndpointTest, CallsOnAClosedLoopFailAndDoNotCrash) {
  MakeTcp();
  CloseLoop();
  SliceBuffer buffer;
  SliceBuffer data;
  Append(&data, "late");
  Outcome read;
  Outcome write;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
  EXPECT_FALSE(endpoint_->Write(write.Callback(), &data, {}));
  endpoint_.reset();
  OrphanQueue::Get().Drain();
  EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(write.status.code(), absl::StatusCode::kCancelled);
}

TEST_F(UvEndpointTest, FromFdOnAClosedLoopClosesTheDescriptor) {
  auto held = bridge();
  auto [ours, theirs] = TcpPair();
  CloseLoop();
  EXPECT_FALSE(UvEndpoint::FromFd(held, ours.Take(), TcpOptions(), {}).ok());
  EXPECT_TRUE(SeesEof(theirs.get()));
}

TEST_F(UvEndpointTest, MadeUsedAndDestroyedOnAnotherThread) {
  auto [ours, theirs] = TcpPair();
  auto held = bridge();
  Outcome write;
  Outcome read;
  SliceBuffer buffer;
  std::atomic<bool> finished{false};
  std::thread other([&, fd = ours.Take()] {
    auto endpoint = UvEndpoint::FromFd(held, fd, TcpOptions(), {});
    ASSERT_TRUE(endpoint.ok());
    SliceBuffer data;
    Append(&data, "from afar");
    EXPECT_FALSE((*endpoint)->Write(write.Callback(), &data, {}));
    EXPECT_FALSE((*endpoint)->Read(read.Callback(), &buffer, {}));
    EXPECT_EQ(Receive(theirs.get(), 9), "from afar");
    SendAll(theirs.get(), "reply");
    while (!read.done()) std::this_thread::yield();
    endpoint->reset();
    finished = true;
    held->Post([] {});
  });
  ASSERT_TRUE(RunUntil([&] { return finished.load(); }));
  other.join();
  EXPECT_TRUE(write.status.ok()) << write.status;
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(Text(&buffer), "reply");
  EXPECT_TRUE(SeesEof(theirs.get()));
}

TEST_F(UvEndpointTest, UsedOnTheLoopBeforeItIsAttachedThere) {
  auto [ours, theirs] = TcpPair();
  auto held = bridge();
  std::thread other([&, fd = ours.Take()] {
    endpoint_ = *UvEndpoint::FromFd(held, fd, TcpOptions(), {});
  });
  other.join();
  WriteText("early");
  EXPECT_EQ(Receive(theirs.get(), 5), "early");
}

TEST_F(UvEndpointTest, DestroyOnAnotherThreadWhileDataArrives) {
  for (int i = 0; i < 50; ++i) {
    MakeTcp();
    SliceBuffer buffer;
    Outcome read;
    EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
    std::atomic<bool> gone{false};
    std::thread other([&] {
      SendAll(peer_.get(), "racing");
      endpoint_.reset();
      gone = true;
      bridge()->Post([] {});
    });
    ASSERT_TRUE(RunUntil([&] { return read.done() && gone; }));
    other.join();
    EXPECT_EQ(read.calls, 1);
  }
}

TEST_F(UvEndpointTest, DestroyOnAnotherThreadAfterTheLoopClosed) {
  MakeTcp();
  CloseLoop();
  std::thread other([&] {
    endpoint_.reset();
    OrphanQueue::Get().Drain();
  });
  other.join();
}

TEST_F(UvEndpointTest, ReadsOfSomeSizeAllocateOneBlock) {
  auto counts = std::make_shared<AllocationCounts>();
  MakeTcp(TcpOptions(), CountingAllocator(counts));
  for (int i = 0; i < 300; ++i) {
    SendAll(peer_.get(), std::string(2'000, 'm'));
    ASSERT_EQ(ReadText()->size(), 2'000u);
  }
  // The first read could not know: it is a copy.
  EXPECT_EQ(counts->slices, 2);
}

TEST_F(UvEndpointTest, AConnectionThatReadsLittleHasNoBlock) {
  auto counts = std::make_shared<AllocationCounts>();
  MakeTcp(TcpOptions(), CountingAllocator(counts));
  const auto read = [&](size_t size) {
    SendAll(peer_.get(), std::string(size, 'm'));
    ASSERT_EQ(ReadText()->size(), size);
  };
  for (int i = 0; i < 300; ++i) read(200);
  EXPECT_EQ(counts->slice_bytes, 300u * 200);
  // A copy, and then a block.
  read(3'000);
  read(3'000);
  EXPECT_EQ(counts->slice_bytes, 300u * 200 + 3'000 + 8'192);
  // The first small read is of the block still, the second a copy again.
  read(6);
  read(6);
  EXPECT_EQ(counts->slice_bytes, 300u * 200 + 3'000 + 8'192 + 6);
}

TEST_F(UvEndpointTest, SlicesThatAreKeptAreNotOverwritten) {
  for (const size_t size : {300, 2'000}) {
    auto counts = std::make_shared<AllocationCounts>();
    MakeTcp(TcpOptions(), CountingAllocator(counts));
    std::vector<std::unique_ptr<SliceBuffer>> kept;
    std::string sent;
    for (int i = 0; i < 200; ++i) {
      const std::string part(size, static_cast<char>('A' + i % 26));
      SendAll(peer_.get(), part);
      sent += part;
      auto buffer = std::make_unique<SliceBuffer>();
      Outcome read;
      if (!endpoint_->Read(read.Callback(), buffer.get(), {})) {
        ASSERT_TRUE(RunUntil([&] { return read.done(); }));
      }
      kept.push_back(std::move(buffer));
    }
    std::string got;
    for (auto& buffer : kept) got += Text(buffer.get());
    EXPECT_EQ(got, sent);
    // Not a block of 8 KiB for each.
    EXPECT_LE(counts->slice_bytes, 2 * sent.size());
    kept.clear();
    endpoint_.reset();
  }
}

TEST_F(UvEndpointTest, BlocksGrowWithTheTraffic) {
  auto counts = std::make_shared<AllocationCounts>();
  MakeTcp(TcpOptions(), CountingAllocator(counts));
  const std::string text = LargeText();
  std::thread sender([&] { SendAll(peer_.get(), text); });
  size_t got = 0;
  size_t largest = 0;
  while (got < text.size()) {
    SliceBuffer buffer;
    Outcome read;
    if (!endpoint_->Read(read.Callback(), &buffer, {})) {
      ASSERT_TRUE(RunUntil([&] { return read.done(); }));
    }
    got += buffer.Length();
    for (size_t i = 0; i < buffer.Count(); ++i) {
      largest = std::max(largest, buffer[i].size());
    }
  }
  sender.join();
  EXPECT_EQ(largest, 64u * 1024);
}

TEST_F(UvEndpointTest, ShutdownReleasesTheConnection) {
  MakeTcp();
  const int before = OpenDescriptors();
  auto* extension =
      QueryExtension<EndpointSupportsFdExtension>(endpoint_.get());
  ASSERT_NE(extension, nullptr);
  const int wrapped = extension->GetWrappedFd();
  EXPECT_GE(wrapped, 0);
  SliceBuffer buffer;
  Outcome read;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
  std::optional<absl::StatusOr<int>> released;
  extension->Shutdown(
      [&](absl::StatusOr<int> fd) { released = std::move(fd); });
  ASSERT_TRUE(RunUntil([&] { return read.done(); }));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(released.has_value());
  EXPECT_EQ(extension->GetWrappedFd(), -1);
  Outcome write;
  SliceBuffer data;
  Append(&data, "no");
  EXPECT_FALSE(endpoint_->Write(write.Callback(), &data, {}));
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
  EXPECT_EQ(write.status.code(), absl::StatusCode::kCancelled);
  endpoint_.reset();
  ASSERT_TRUE(RunUntil([&] { return released.has_value(); }));
  ASSERT_TRUE(released->ok()) << released->status();
  OwnedFd fd(**released);
  SendAll(peer_.get(), "still here");
  EXPECT_EQ(Receive(fd.get(), 10), "still here");
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(UvEndpointTest, ShutdownWithoutAReceiverJustCloses) {
  MakeTcp();
  QueryExtension<EndpointSupportsFdExtension>(endpoint_.get())
      ->Shutdown(nullptr);
  EXPECT_TRUE(SeesEof(peer_.get()));
}

TEST_F(UvEndpointTest, WriteEventsAreReportedWithTcpMetrics) {
  MakeTcp();
  auto info = endpoint_->GetTelemetryInfo();
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->AllWriteMetrics().size(), 20u);
  const auto key = info->GetMetricKey("congestion_window");
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(info->GetMetricName(*key), "congestion_window");
  EXPECT_EQ(info->GetMetricKey("no such metric"), std::nullopt);
  EXPECT_EQ(info->GetMetricName(1000), std::nullopt);
  EXPECT_TRUE(info->GetFullMetricsSet()->IsSet(*key));

  std::vector<WriteEvent> events;
  int64_t window = 0;
  const auto sink = [&] {
    return Endpoint::WriteEventSink(
        info->GetMetricsSet({*key}),
        {WriteEvent::kSendMsg, WriteEvent::kSent, WriteEvent::kClosed},
        [&](WriteEvent event, absl::Time,
            std::vector<Endpoint::WriteMetric> metrics) {
          events.push_back(event);
          if (metrics.size() == 1 && metrics[0].key == *key) {
            window = metrics[0].value;
          }
        });
  };
  Endpoint::WriteArgs args;
  args.set_metrics_sink(sink());
  SliceBuffer data;
  Append(&data, "measured");
  Outcome write;
  EXPECT_TRUE(endpoint_->Write(write.Callback(), &data, std::move(args)));
  EXPECT_EQ(events, (std::vector{WriteEvent::kSendMsg, WriteEvent::kSent}));
  EXPECT_GT(window, 0);

  events.clear();
  Append(&data, LargeText());
  Endpoint::WriteArgs large;
  large.set_metrics_sink(sink());
  EXPECT_FALSE(endpoint_->Write(write.Callback(), &data, std::move(large)));
  endpoint_.reset();
  EXPECT_EQ(events, (std::vector{WriteEvent::kSendMsg, WriteEvent::kClosed}));
  ASSERT_TRUE(RunUntil([&] { return write.done(); }));
}

using UvEndpointDeathTest = UvEndpointTest;

TEST_F(UvEndpointDeathTest, TwoReadsAtOnceAreABug) {
  MakeTcp();
  SliceBuffer buffer;
  Outcome read;
  EXPECT_FALSE(endpoint_->Read(read.Callback(), &buffer, {}));
  EXPECT_DEATH(endpoint_->Read(read.Callback(), &buffer, {}),
               "a read is outstanding");
  endpoint_.reset();
  ASSERT_TRUE(RunUntil([&] { return read.done(); }));
}

}  // namespace
}  // namespace uvgrpc
