# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc.run(): a loop with everything in place, and the signals that end it."""

from __future__ import annotations

import textwrap

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

_PROGRAM = """
import os, signal, time
import uvgrpc

SERVICE = uvgrpc.Service("t", {"M": uvgrpc.Method("M", False, False, None, None, None, None)})

class Slow:
    async def M(self, request, context):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(float(request))
        return b"finished"

async def ask(port, seconds):
    async with uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return await channel.unary_unary("/t/M")(seconds)

def serve(**options):
    server = uvgrpc.server(**options)
    server.add_servicer(Slow(), SERVICE)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
"""


def _run(main: str) -> tuple[int, list[str], str]:
    outcome = run_program(_PROGRAM + textwrap.dedent(main))
    return outcome.returncode, outcome.out.split(), outcome.err


def test_it_runs_on_uvloop_with_grpc_aio_on_it() -> None:
    code, out, err = _run("""
        async def main():
            channel = grpc.aio.insecure_channel("127.0.0.1:1")
            print(type(asyncio.get_running_loop()).__module__, uvgrpc.is_active(channel))
            return "result"
        print(uvgrpc.run(main()))
    """)
    assert (code, out) == (0, ["uvloop", "True", "result"]), err


def test_sigterm_lets_rpcs_finish() -> None:
    code, out, err = _run("""
        async def main():
            server, port = serve()
            asking = asyncio.create_task(ask(port, b"0.3"))
            await server.wait_for_termination()
            print("terminated")
            print((await asking).decode())
            await asyncio.sleep(0.1)
            print("cleaned")
        uvgrpc.run(main())
    """)
    assert (code, out) == (0, ["terminated", "finished", "cleaned"]), err


def test_sigterm_drains_servers_of_grpc_aio_too() -> None:
    code, out, err = _run("""
        async def main():
            server = grpc.aio.server()
            handler = grpc.unary_unary_rpc_method_handler(Slow().M)
            server.add_registered_method_handlers("t", {"M": handler})
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            asking = asyncio.create_task(ask(port, b"0.3"))
            await server.wait_for_termination()
            print((await asking).decode())
        uvgrpc.run(main())
    """)
    assert (code, out) == (0, ["finished"]), err


def test_rpcs_that_take_longer_than_the_grace_are_aborted() -> None:
    code, out, err = _run("""
        async def main():
            server, port = serve(grace=0.2)
            asking = asyncio.create_task(ask(port, b"60"))
            await server.wait_for_termination()
            try:
                await asking
            except uvgrpc.RpcError as error:
                print(error.code().name)
        uvgrpc.run(main())
    """)
    assert (code, out) == (0, ["UNAVAILABLE"]), err


def test_a_main_that_does_not_end_is_cancelled() -> None:
    code, out, err = _run("""
        async def main():
            server, port = serve()
            asking = asyncio.create_task(ask(port, b"0"))
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                print((await asking).decode())
                raise
        uvgrpc.run(main(), grace=0.2)
    """)
    assert (code, out) == (128 + 15, ["finished"]), err


def test_without_servers_sigterm_cancels_at_once() -> None:
    code, out, err = _run("""
        async def main():
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
            try:
                await asyncio.sleep(60)
            finally:
                print("cleaned")
        uvgrpc.run(main())
    """)
    assert (code, out) == (128 + 15, ["cleaned"]), err


def test_a_second_sigterm_is_impatient() -> None:
    code, out, err = _run("""
        async def main():
            server, port = serve(grace=60)
            asking = asyncio.create_task(ask(port, b"60"))
            asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
            try:
                await server.wait_for_termination()
            except asyncio.CancelledError:
                print("cancelled")
                raise
        uvgrpc.run(main())
    """)
    assert (code, out) == (128 + 15, ["cancelled"]), err


def test_sigint_is_asyncios() -> None:
    code, out, err = _run("""
        async def main():
            asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
            try:
                await asyncio.sleep(60)
            finally:
                print("cleaned")
        try:
            uvgrpc.run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert (code, out) == (0, ["cleaned", "interrupted"]), err


def test_errors_and_exits_come_out() -> None:
    code, out, err = _run("""
        async def fail():
            raise ZeroDivisionError
        try:
            uvgrpc.run(fail())
        except ZeroDivisionError:
            print("error")
        async def leave():
            sys.exit(3)
        uvgrpc.run(leave())
    """)
    assert (code, out) == (3, ["error"]), err


def test_it_runs_in_another_thread() -> None:
    code, out, err = _run("""
        import threading
        async def main():
            print("ran")
        thread = threading.Thread(target=lambda: uvgrpc.run(main()))
        thread.start()
        thread.join()
    """)
    assert (code, out) == (0, ["ran"]), err


def test_misuse_is_told() -> None:
    code, out, err = _run("""
        async def main():
            try:
                uvgrpc.run(main())
            except RuntimeError as error:
                print("running" if "while an event loop runs" in str(error) else error)
        uvgrpc.run(main())
        try:
            uvgrpc.run(main)
        except ValueError as error:
            print("function" if "a coroutine was expected" in str(error) else error)
        try:
            uvgrpc.run(main(), grace=-1)
        except ValueError as error:
            print("grace" if "grace must be" in str(error) else error)
    """)
    assert (code, out) == (0, ["running", "function", "grace"]), err
