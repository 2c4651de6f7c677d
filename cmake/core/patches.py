"""Changes to gRPC's sources that running on one thread needs, as exact replacements.

They are applied to copies in the build folder. A replacement whose text is not
found exactly once fails the build: then gRPC has changed there, and whether the
change is still needed is to be looked at again.
"""

from __future__ import annotations

from pathlib import Path

# A transparent retry (the attempt never reached the wire) starts at once, inside
# the ExecCtx that saw the failure. While the load balancer still picks the dead
# connection, it fails at once again. The news of the dead connection is itself
# waiting for the event engine, which on one thread gets its turn only when that
# ExecCtx ends: an endless loop that eats memory. Starting the retry from the event
# engine, like any other retry, lets the news through first.
_RETRY = "src/core/client_channel/retry_filter_legacy_call_data.cc"
_RETRY_AT_ONCE = """\
  closures->Add(&retry_closure_, absl::OkStatus(), "start transparent retry");
"""
_RETRY_FROM_ENGINE = """\
  (void)closures;
  chand_->event_engine()->Run([this] {
    ExecCtx exec_ctx;
    GRPC_CALL_COMBINER_START(call_combiner_, &retry_closure_, absl::OkStatus(),
                             "start transparent retry");
  });
"""

# The xDS clients of a process are shared by target, and live on the default
# engine, which is the loop of whoever asked first. When that loop closes or is
# busy, the channels of all other loops stop hearing from their control plane.
# One client for each target and engine: the engine of the channel or server that
# asks becomes a part of the key in the map (not of the name that CSDS and metrics
# show), and the engine of the client, of its load reports and of its channel to
# the control plane.
_XDS_CLIENT = "src/core/xds/grpc/xds_client_grpc.cc"
_XDS_ENGINE_OF_ARGS = (
    """\
namespace {

Mutex* g_mu = new Mutex;
""",
    """\
namespace {

using grpc_event_engine::experimental::EventEngine;

std::shared_ptr<EventEngine> EngineOf(const ChannelArgs& args) {
  auto engine = args.GetObjectRef<EventEngine>();
  if (engine != nullptr) return engine;
  return grpc_event_engine::experimental::GetDefaultEventEngine();
}

Mutex* g_mu = new Mutex;
""",
)
_XDS_MAP = (
    """\
NoDestruct<std::map<absl::string_view, GrpcXdsClient*>> g_xds_client_map
""",
    """\
NoDestruct<std::map<std::pair<EventEngine*, absl::string_view>, GrpcXdsClient*>>
    g_xds_client_map
""",
)
_XDS_OWN_BOOTSTRAP = (
    """\
    auto channel_args = ChannelArgs::FromC(xds_channel_args);
""",
    """\
    auto channel_args =
        ChannelArgs::FromC(xds_channel_args).SetObject(EngineOf(args));
""",
)
_XDS_FIND = (
    """\
  auto it = g_xds_client_map->find(key);
""",
    """\
  const std::shared_ptr<EventEngine> engine = EngineOf(args);
  auto it = g_xds_client_map->find({engine.get(), key});
""",
)
_XDS_CREATE = (
    """\
  auto channel_args = ChannelArgs::FromC(g_channel_args);
""",
    """\
  auto channel_args = ChannelArgs::FromC(g_channel_args).SetObject(engine);
""",
)
_XDS_EMPLACE = (
    """\
      g_xds_client_map->emplace(xds_client->key(), xds_client.get());
""",
    """\
      g_xds_client_map->emplace(std::pair(engine.get(), xds_client->key()),
                                xds_client.get());
""",
)
_XDS_CLIENT_ENGINE = (
    """\
          bootstrap, transport_factory,
          grpc_event_engine::experimental::GetDefaultEventEngine(),
""",
    """\
          bootstrap, transport_factory, EngineOf(args),
""",
)
_XDS_LRS_ENGINE = (
    """\
          std::move(transport_factory),
          grpc_event_engine::experimental::GetDefaultEventEngine())) {}
""",
    """\
          std::move(transport_factory), EngineOf(args))) {}
""",
)
_XDS_FORGET = (
    """\
  auto it = g_xds_client_map->find(key_);
""",
    """\
  auto it = g_xds_client_map->find({engine(), key_});
""",
)

# Memory of gpr_malloc() that goes to free() or realloc(), which with our gpr_malloc()
# (src/memory) are not the other half of it.
_QUOTA = "src/core/lib/resource_quota/memory_quota.cc"
_QUOTA_FREE = (
    """\
    free(rc);
""",
    """\
    gpr_free(rc);
""",
)
_ALTS = "src/core/tsi/alts/zero_copy_frame_protector/alts_iovec_record_protocol.cc"
_ALTS_REALLOC = (
    """\
    *dst = static_cast<char*>(realloc(*dst, dst_len + strlen(appendix) + 1));
""",
    """\
    *dst = static_cast<char*>(gpr_realloc(*dst, dst_len + strlen(appendix) + 1));
""",
)

PATCHES: dict[str, tuple[tuple[str, str], ...]] = {
    _RETRY: ((_RETRY_AT_ONCE, _RETRY_FROM_ENGINE),),
    _XDS_CLIENT: (
        _XDS_ENGINE_OF_ARGS,
        _XDS_MAP,
        _XDS_OWN_BOOTSTRAP,
        _XDS_FIND,
        _XDS_CREATE,
        _XDS_EMPLACE,
        _XDS_CLIENT_ENGINE,
        _XDS_LRS_ENGINE,
        _XDS_FORGET,
    ),
    _QUOTA: (_QUOTA_FREE,),
    _ALTS: (_ALTS_REALLOC,),
}


def patched(source_dir: Path, source: str) -> str | None:
    """The text to compile in place of `source`, or None to take it as it is."""
    replacements = PATCHES.get(source)
    if replacements is None:
        return None
    text = (source_dir / source).read_text()
    for old, new in replacements:
        if text.count(old) != 1:
            raise SystemExit(
                f"cmake/core/patches.py: the text to replace in {source} is not there exactly once:\n{old}"
            )
        text = text.replace(old, new)
    return text
