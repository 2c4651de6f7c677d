"""Turn the source list of the grpcio sdist into a build plan for CMake.

Usage: plan.py SOURCE_DIR OUTPUT_DIR

UVGRPC_CORE_SYSTEM says for which system, as platform.system() names it: Linux or Darwin.

Writes OUTPUT_DIR/plan.cmake with the variables
  CORE_SOURCES   C++ of gRPC, abseil and re2, C of c-ares: what may inline abseil or is driven by our engine
  VENDOR_SOURCES BoringSSL, upb with its generated code, zlib, utf8_range, address_sorting
  ENGINE_SOURCES gRPC's own event engine, which uvgrpc leaves out: for a peer of the benchmark
Most entries are unity files that include several sources. A file of gRPC costs
5 s to parse its headers and 1 s to compile what is its own, so a batch of
twenty costs little more than its most expensive member.
"""

from __future__ import annotations

import os
import platform
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from patches import PATCHES, patched

# Sources that no caller of uvgrpc can reach: other systems' code, and Apple's own event engines. And
# gpr_malloc(), for which we have our own (src/memory).
LEFT_OUT = re.compile(
    r"""
    _windows\.cc$ | /windows/ | cfstream | /cf_engine/ | ev_apple | _noop\.cc$
    | address_sorting_windows
    | cares/src/lib/ares_(android|sysconfig_win)
    | core/util/alloc\.cc$
    """,
    re.VERBOSE,
)
# For one system only, by platform.system().
ONLY_ON = {"Darwin": re.compile(r"cares/src/lib/ares_sysconfig_mac")}

# gRPC's own poller. Leaving it out of core makes a polling thread impossible to start.
ENGINE = re.compile(
    r"""
    event_engine/posix_engine/(posix_engine|posix_endpoint|posix_engine_listener(_utils)?
        |event_poller_posix_default|ev_\w+|wakeup_fd_\w+|native_posix_dns_resolver
        |posix_write_event_sink|traced_buffer_list|internal_errqueue|lockfree_event)\.cc$
    | event_engine/default_event_engine_factory\.cc$
    | event_engine/thready_event_engine/
    | event_engine/thread_pool/
    | event_engine/work_queue/
    """,
    re.VERBOSE,
)

# Needed by us, absent from the sdist's list.
ADDED = ("third_party/abseil-cpp/absl/log/initialize.cc",)

VENDOR = re.compile(
    r"^third_party/(boringssl-with-bazel|upb|zlib|utf8_range|address_sorting)/|^src/core/ext/(upb|upbdefs)-gen/"
)

# Compiled on their own: they leak macros or using-declarations into what follows.
SINGLE = re.compile(
    r"""
    \.S$
    | crypto/evp/p_mlkem\.cc$ | crypto/trust_token/voprf\.cc$ | crypto/bio/socket\.cc$
    | boringssl-with-bazel/ssl/(handshake_server|tls13_server)\.cc$
    | absl/log/internal/vlog_config\.cc$
    | third_party/zlib/ | re2/dfa\.cc$
    """,
    re.VERBOSE,
)

# Any two files of one row define the same name and never share a batch.
APART = tuple(
    re.compile(row)
    for row in (
        r"alts/grpc_alts_credentials_(client|server)_options\.cc$",
        r"transport/http2_(client|server)_transport\.cc$",
        r"lib/iomgr/(ev_poll_posix|ev_epoll1_linux|ev_posix)\.cc$",
        r"lib/iomgr/(tcp_posix|iomgr_posix)\.cc$",
        r"server/xds_server_config_fetcher(_legacy)?\.cc$",
        r"tsi/alts/(frame_protector/alts_(un)?seal_privacy_integrity_crypter|crypt/aes_gcm)\.cc$",
        r"lib/surface/(legacy_channel|filter_stack_call)\.cc$",
        # One weak constructor, which must stay one: two would register upb's extensions twice, and
        # then upb makes no DefPool any more (channelz and xDS need one).
        r"upb-gen/((xds|udpa|envoy)/annotations/|google/api/(annotations|field_behavior)\.|validate/validate\.)",
    )
)

# Names that a file defines for itself and a neighbour defines too; renamed
# while the file is included. First matching row counts.
PRIVATE_NAMES = {
    r"upbdefs-gen/": ("descriptor", "deps", "layout"),
    r"upb-gen/": ("messages_layout", "extensions_layout", "enums_layout"),
    r"client_channel_filter\.cc": ("GetSubchannelPool", "ChooseLbPolicy"),
    r"load_balanced_call_destination\.cc": ("HandlePickResult",),
    r"/external_account_credentials\.cc": ("UrlEncode",),
    r"/secure_endpoint\.cc": ("FrameProtector",),
    r"alts/frame_protector/": ("maybe_copy_error_msg",),
    r"tsi/(ssl|local)_transport_security\.cc": (
        "handshaker_vtable",
        "handshaker_result_vtable",
        "frame_protector_vtable",
    ),
    r"xds_listener_parser\.cc": ("FilterChain",),
    r"google_default_credentials\.cc": ("g_once",),
    r"x509/x_x509\.cc": ("g_ex_data_class",),
    r"xds_client_grpc\.cc": ("g_mu",),
    r"utf8_for_code_point\.cc": ("kMaxCodePoint",),
    r"absl/time/time\.cc": ("unix_epoch",),
    r"time_zone_posix\.cc": ("kDigits",),
    r"dsa/ares_htable_": ("hash_func", "bucket_key", "bucket_free", "key_eq"),
    r"lib/ares_gethostbyaddr\.c": ("next_lookup", "file_lookup"),
    r"lib/ares_gethostbyname\.c": ("host_query",),
    r"lib/ares_getnameinfo\.c": ("lookup_service",),
    r"re2/(nfa|onepass|prefilter|prefilter_tree)\.cc": ("ExtraDebug",),
}

# Where main() puts patched sources, seen from a unity file.
PATCHED = "../patched/"

# Size of a batch in bytes of source. Of src/core that is 10 to 25 s of work.
LIMIT = 160_000
LIMIT_OUTSIDE = 400_000


@dataclass
class Unit:
    """One translation unit: a source as it is, or a file that includes several."""

    name: str
    sources: list[str] = field(default_factory=list)
    size: int = 0
    rows: set[int] = field(default_factory=set)

    def text(self) -> str:
        lines: list[str] = []
        for index, source in enumerate(self.sources):
            names = private_names(source)
            lines += [f"#define {name} {name}_{index}" for name in names]
            lines.append(f'#include "{PATCHED if source in PATCHES else ""}{source}"')
            lines += [f"#undef {name}" for name in names]
        return "\n".join(lines) + "\n"


def private_names(source: str) -> tuple[str, ...]:
    return next((names for pattern, names in PRIVATE_NAMES.items() if re.search(pattern, source)), ())


def load_lists(source_dir: Path) -> tuple[list[str], list[str]]:
    """The sdist's own list of sources, and its list of assembly."""
    path = source_dir / "src/python/grpcio/grpc_core_dependencies.py"
    lists = runpy.run_path(str(path))
    return list(lists["CORE_SOURCE_FILES"]), list(lists["ASM_SOURCE_FILES"]["crypto_asm"])


def group_of(source: str) -> str:
    """Sources are batched within their group: gRPC itself is one, so are its generated files."""
    if source.startswith("src/core/"):
        generated = re.match(r"src/core/ext/(upb|upbdefs)-gen/", source)
        return generated[1] if generated else "grpc"
    folder = source.rsplit("/", 1)[0].replace("third_party/", "").replace("-with-bazel", "")
    return re.sub(r"\W", "_", folder) + source[source.rindex(".") :].replace(".", "_")


def units(sources: list[str], source_dir: Path) -> Iterator[Unit]:
    """Fill batches in order; a file that clashes goes to the last batch that can take it."""
    groups: dict[str, list[Unit]] = {}
    for source in sources:
        if SINGLE.search(source):
            yield Unit(source, [source])
    for source in sorted(source for source in sources if not SINGLE.search(source)):
        group = group_of(source)
        rows = {index for index, row in enumerate(APART) if row.search(source)}
        size = (source_dir / source).stat().st_size
        limit = LIMIT if group == "grpc" else LIMIT_OUTSIDE
        batches = groups.setdefault(group, [Unit(group)])
        if batches[-1].sources and batches[-1].size + size > limit:
            batches.append(Unit(group))
        if all(rows & batch.rows for batch in batches):
            batches.insert(0, Unit(group))
        target = next(batch for batch in reversed(batches) if not rows & batch.rows)
        target.sources.append(source)
        target.size += size
        target.rows |= rows
    for group, batches in groups.items():
        for number, batch in enumerate(batches):
            batch.name = f"{group}_{number}{Path(batch.sources[0]).suffix}"
            yield batch


def make_plan(source_dir: Path, system: str) -> dict[str, list[Unit]]:
    sources, assembly = load_lists(source_dir)
    foreign = [pattern for name, pattern in ONLY_ON.items() if name != system]
    kept = [
        name for name in sources if not any(pattern.search(name) for pattern in [LEFT_OUT, *foreign])
    ] + list(ADDED)
    engine = [name for name in kept if ENGINE.search(name)]
    core = [name for name in kept if not VENDOR.search(name) and not ENGINE.search(name)]
    vendor = [name for name in kept if VENDOR.search(name)] + assembly
    return {
        "core": list(units(core, source_dir)),
        "vendor": list(units(vendor, source_dir)),
        "engine": [Unit(name, [name]) for name in engine],
    }


def describe(part: list[Unit]) -> str:
    """Changes when what is compiled does: a part of the cache key."""
    texts = [f"{unit.name}\n{unit.text()}" for unit in part]
    patches = [repr(PATCHES[source]) for unit in part for source in unit.sources if source in PATCHES]
    return "\0".join(texts + patches)


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main() -> None:
    source_dir, output_dir = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    unity_dir = output_dir / "unity"
    unity_dir.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    system = os.environ.get("UVGRPC_CORE_SYSTEM") or platform.system()
    for part, all_units in make_plan(source_dir, system).items():
        lines.append(f"set({part.upper()}_SOURCES")
        for unit in all_units:
            path = source_dir / unit.sources[0]
            for source in unit.sources:
                text = patched(source_dir, source)
                if text is not None:
                    copy = output_dir / "patched" / source
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    write_if_changed(copy, text)
            if len(unit.sources) > 1 or unit.sources[0] in PATCHES:
                path = unity_dir / unit.name
                write_if_changed(path, unit.text())
            lines.append(f'  "{path}"')
        lines.append(")")
    write_if_changed(output_dir / "plan.cmake", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
