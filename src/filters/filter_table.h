// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A grpc_channel_filter made of a class for its channels and one for its calls.

#ifndef UVGRPC_FILTERS_FILTER_TABLE_H_
#define UVGRPC_FILTERS_FILTER_TABLE_H_

#include <memory>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "src/core/filter/filter_args.h"
#include "src/core/lib/channel/channel_args.h"
#include "src/core/lib/channel/channel_stack.h"
#include "src/core/lib/promise/context.h"
#include "src/core/lib/resource_quota/arena.h"
#include "src/core/util/unique_type_name.h"

namespace uvgrpc {

// One of core's filters, made for a channel.
template <typename Filter>
absl::Status Create(const grpc_core::ChannelArgs& args,
                    std::unique_ptr<Filter>& result) {
  auto created = Filter::Create(args, grpc_core::FilterArgs());
  if (!created.ok()) return created.status();
  result = *std::move(created);
  return absl::OkStatus();
}

// Channel has a default constructor and Init(args); Call is made from its
// element and the arguments, has StartBatch(batch), SetPollingEntity(entity)
// and End(info).
template <typename Channel, typename Call>
grpc_channel_filter FilterTable(grpc_core::UniqueTypeName name) {
  return grpc_channel_filter{
      /*start_transport_stream_op_batch=*/
      [](grpc_call_element* element, grpc_transport_stream_op_batch* batch) {
        static_cast<Call*>(element->call_data)->StartBatch(batch);
      },
      grpc_channel_next_op,
      sizeof(Call),
      /*init_call_elem=*/
      [](grpc_call_element* element, const grpc_call_element_args* args) {
        const grpc_core::promise_detail::Context<grpc_core::Arena> context(
            args->arena);
        new (element->call_data) Call(element, *args);
        return absl::OkStatus();
      },
      /*set_pollset_or_pollset_set=*/
      [](grpc_call_element* element, grpc_polling_entity* entity) {
        static_cast<Call*>(element->call_data)->SetPollingEntity(entity);
      },
      /*destroy_call_elem=*/
      [](grpc_call_element* element, const grpc_call_final_info* info,
         grpc_closure*) {
        auto* const call = static_cast<Call*>(element->call_data);
        call->End(info);
        call->~Call();
      },
      sizeof(Channel),
      /*init_channel_elem=*/
      [](grpc_channel_element* element, grpc_channel_element_args* args) {
        return (new (element->channel_data) Channel)->Init(args->channel_args);
      },
      /*post_init_channel_elem=*/
      [](grpc_channel_stack*, grpc_channel_element*) {},
      /*destroy_channel_elem=*/
      [](grpc_channel_element* element) {
        static_cast<Channel*>(element->channel_data)->~Channel();
      },
      grpc_channel_next_get_info,
      name,
  };
}

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_FILTER_TABLE_H_
