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

PATCHES: dict[str, tuple[tuple[str, str], ...]] = {
    _RETRY: ((_RETRY_AT_ONCE, _RETRY_FROM_ENGINE),),
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
