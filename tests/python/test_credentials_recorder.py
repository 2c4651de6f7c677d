# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""When credentials were made, and by what: before uvgrpc was imported, before install()."""

from __future__ import annotations

import gc
import weakref

import grpc
import pytest
import tls
from support import Outcome, run_program

pytestmark = pytest.mark.uvgrpc_only

# As run_program() does, but uvgrpc is imported by the program.
_EARLY = """
import subprocess, sys
program = '''
import asyncio, sys
import trustme
assert 'uvgrpc' not in sys.modules
import grpc, grpc.aio
from grpc import (
    alts_channel_credentials, compute_engine_channel_credentials, dynamic_ssl_server_credentials,
    local_channel_credentials, local_server_credentials, ssl_channel_credentials,
    ssl_server_certificate_configuration, ssl_server_credentials)
from grpc.experimental.session_cache import ssl_session_cache_lru
ca = trustme.CA()
made = ca.issue_cert("127.0.0.1")
roots = ca.cert_pem.bytes()
identity = (made.private_key_pem.bytes(), b"".join(pem.bytes() for pem in made.cert_chain_pems))
%s
'''
sys.exit(subprocess.run([sys.executable, "-W", "error", "-c", program]).returncode)
"""


def run_early(source: str) -> Outcome:
    """Runs a program that has grpc's factories, and maybe credentials, before it imports uvgrpc."""
    return run_program(_EARLY % source)


def test_factories_that_were_imported_before() -> None:
    outcome = run_early("""
import uvgrpc, uvloop

async def echo(request, context):
    return request

async def main():
    for credentials, channel_credentials in (
        (ssl_server_credentials([identity]), ssl_channel_credentials(roots)),
        (local_server_credentials(), local_channel_credentials()),
        (dynamic_ssl_server_credentials(ssl_server_certificate_configuration([identity]), lambda: None),
         ssl_channel_credentials(roots)),
    ):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            "test.Service", {"Method": grpc.unary_unary_rpc_method_handler(echo)}),))
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", channel_credentials) as channel:
            assert type(channel).__module__.startswith("uvgrpc"), type(channel)
            print(await channel.unary_unary("/test.Service/Method")(b"hello"))
        await server.stop(None)

uvgrpc.install()
uvloop.run(main())
""")
    assert outcome.err == ""
    assert outcome.out == "b'hello'\n" * 3


def test_credentials_that_were_made_before() -> None:
    """Those that can be read work; the others raise an error that says what to do."""
    outcome = run_early("""
readable = ssl_channel_credentials(roots)
plugin = grpc.access_token_call_credentials("secret")
servers = (ssl_server_credentials([identity], roots, True), local_server_credentials(),
           grpc.xds_server_credentials(grpc.insecure_server_credentials()))
configuration = ssl_server_certificate_configuration([identity])
local = local_channel_credentials()
channels = (local, alts_channel_credentials(), compute_engine_channel_credentials(plugin),
            grpc.composite_channel_credentials(local, plugin), grpc.xds_channel_credentials(local))
cache = ssl_session_cache_lru(1)
import uvgrpc, uvloop
from uvgrpc import aio

def refused(what, function, *args):
    try:
        function(*args)
    except ValueError as error:
        assert what in str(error), error
        assert "import uvgrpc first" in str(error), error
    else:
        raise AssertionError(args)

async def main():
    composite = grpc.composite_channel_credentials(readable, plugin)
    for credentials in (readable, composite, grpc.xds_channel_credentials(readable)):
        await aio.secure_channel("127.0.0.1:1", credentials).close()
    for credentials in channels:
        refused("channel credentials", aio.secure_channel, "127.0.0.1:1", credentials)
    refused("TLS sessions", aio.secure_channel, "127.0.0.1:1", readable, (("grpc.ssl_session_cache", cache),))
    server = aio.server()
    for credentials in servers:
        refused("server credentials", server.add_secure_port, "127.0.0.1:0", credentials)
    late = dynamic_ssl_server_credentials(configuration, lambda: None)
    refused("server certificates", server.add_secure_port, "127.0.0.1:0", late)
    print("done")

# Errors come when the channel is made, even where no loop runs yet.
refused("channel credentials", aio.secure_channel, "127.0.0.1:1", local)
uvloop.run(main())
""")
    assert outcome.err == ""
    assert outcome.out == "done\n"


def test_grpcio_itself_can_still_use_them() -> None:
    """The objects are grpcio's own, whoever noted what they were made from."""
    outcome = run_program("""
import tls
from concurrent.futures import ThreadPoolExecutor

handler = service(Method=lambda request, context: request)
for server_credentials, credentials in (
    (tls.server_tls(), tls.channel_tls()),
    (grpc.local_server_credentials(), grpc.local_channel_credentials()),
):
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(handler,))
        port = server.add_secure_port("127.0.0.1:0", server_credentials)
        server.start()
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            print(channel.unary_unary("/test.Service/Method")(b"hello"))
        server.stop(None).wait()
""")
    # grpcio may write to stderr that a server went away.
    assert (outcome.returncode, outcome.out) == (0, "b'hello'\n" * 2)


def test_notes_are_not_kept() -> None:
    class Fetcher:
        def __call__(self) -> None:
            pass

    fetcher = Fetcher()
    gone = weakref.ref(fetcher)
    configuration = grpc.ssl_server_certificate_configuration([tls.localhost()])
    credentials = grpc.dynamic_ssl_server_credentials(configuration, fetcher)
    del fetcher
    assert gone() is not None
    del credentials
    gc.collect()
    assert gone() is None
