// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/faults/faulty_uv_api.h"

#include <optional>
#include <unordered_map>

#include "tests/cpp/faults/fault_plan.h"
#include "tests/cpp/linked_uv_api.h"

namespace uvgrpc::faults {
namespace {

constexpr uint64_t kFasterPauses = 50;

const uv_timer_t* g_timer_of_engine = nullptr;
// What a polled handle, or a request, is to call.
std::unordered_map<uv_poll_t*, uv_poll_cb>& PollCallbacks() {
  static auto* const callbacks = new std::unordered_map<uv_poll_t*, uv_poll_cb>;
  return *callbacks;
}
std::unordered_map<uv_getaddrinfo_t*, uv_getaddrinfo_cb>& AddrinfoCallbacks() {
  static auto* const callbacks =
      new std::unordered_map<uv_getaddrinfo_t*, uv_getaddrinfo_cb>;
  return *callbacks;
}

// The error of the plan; 0 when the call goes on.
int ErrorAt(Site site) {
  const std::optional<Fault> fault = FaultPlan::Get().Take(site);
  return fault.has_value() ? fault->error : 0;
}

int AsyncInit(uv_loop_t* loop, uv_async_t* handle, uv_async_cb callback) {
  const int error = ErrorAt(Site::kUvAsyncInit);
  return error != 0 ? error : uv_async_init(loop, handle, callback);
}

int PrepareInit(uv_loop_t* loop, uv_prepare_t* handle) {
  const int error = ErrorAt(Site::kUvPrepareInit);
  return error != 0 ? error : uv_prepare_init(loop, handle);
}

int TimerInit(uv_loop_t* loop, uv_timer_t* handle) {
  const int error = ErrorAt(Site::kUvTimerInit);
  if (error != 0) return error;
  if (g_timer_of_engine == nullptr) g_timer_of_engine = handle;
  return uv_timer_init(loop, handle);
}

int TimerStart(uv_timer_t* handle, uv_timer_cb callback, uint64_t timeout,
               uint64_t repeat) {
  if (handle != g_timer_of_engine) timeout /= kFasterPauses;
  return uv_timer_start(handle, callback, timeout, repeat);
}

int PollInit(uv_loop_t* loop, uv_poll_t* handle, int fd) {
  const int error = ErrorAt(Site::kUvPollInit);
  return error != 0 ? error : uv_poll_init(loop, handle, fd);
}

void OnPoll(uv_poll_t* handle, int error, int events) {
  const uv_poll_cb callback = PollCallbacks().at(handle);
  const int injected = ErrorAt(Site::kUvPollCallback);
  if (injected != 0) {
    // As libuv does on EPOLLERR.
    uv_poll_stop(handle);
    return callback(handle, injected, 0);
  }
  callback(handle, error, events);
}

int PollStart(uv_poll_t* handle, int events, uv_poll_cb callback) {
  const int error = ErrorAt(Site::kUvPollStart);
  if (error != 0) return error;
  PollCallbacks()[handle] = callback;
  return uv_poll_start(handle, events, &OnPoll);
}

void OnAddrinfo(uv_getaddrinfo_t* request, int error, addrinfo* list) {
  const auto node = AddrinfoCallbacks().extract(request);
  const int injected = ErrorAt(Site::kUvGetaddrinfoResult);
  if (injected != 0 && error == 0) {
    uv_freeaddrinfo(list);
    list = nullptr;
    error = injected;
  }
  node.mapped()(request, error, list);
}

int GetAddrinfo(uv_loop_t* loop, uv_getaddrinfo_t* request,
                uv_getaddrinfo_cb callback, const char* node,
                const char* service, const addrinfo* hints) {
  const int error = ErrorAt(Site::kUvGetaddrinfo);
  if (error != 0) return error;
  AddrinfoCallbacks()[request] = callback;
  return uv_getaddrinfo(loop, request, &OnAddrinfo, node, service, hints);
}

int Cancel(uv_req_t* request) {
  const int error = ErrorAt(Site::kUvCancel);
  return error != 0 ? error : uv_cancel(request);
}

}  // namespace

const UvApi& FaultyUvApi() {
  static const UvApi* const api = [] {
    auto* faulty = new UvApi(LinkedUvApi());
    faulty->async_init = &AsyncInit;
    faulty->prepare_init = &PrepareInit;
    faulty->timer_init = &TimerInit;
    faulty->timer_start = &TimerStart;
    faulty->poll_init = &PollInit;
    faulty->poll_start = &PollStart;
    faulty->getaddrinfo = &GetAddrinfo;
    faulty->cancel = &Cancel;
    return faulty;
  }();
  return *api;
}

void ForgetTimers() {
  g_timer_of_engine = nullptr;
  PollCallbacks().clear();
}

}  // namespace uvgrpc::faults
