# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's plugin for pytest, in runs of pytest of its own: under pytest-asyncio, anyio and xdist."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest

pytest_plugins = ["pytester"]

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.writes_stderr]

# What each program begins with: a service of bytes, and callers.
_PRELUDE = """
import asyncio, socket
import pytest, grpc, uvloop, uvgrpc
from uvgrpc import Method, Service, testing

def method(name, *streaming):
    return Method(name, *streaming, None, None, None, None)

SERVICE = Service(name="t.S", methods={"UU": method("UU", False, False), "US": method("US", False, True)})

class Servicer:
    __uvgrpc_service__ = SERVICE

    async def UU(self, request, context):
        if request == b"wait":
            await asyncio.sleep(3600)
        if request == b"peer":
            return context.peer().encode()
        return b"re: " + request

    async def US(self, request, context):
        for i in range(10):
            yield request

def uu(channel):
    return channel.unary_unary("/t.S/UU")

def us(channel):
    return channel.unary_stream("/t.S/US")

@pytest.fixture
def grpc_servicers():
    return Servicer()
"""

# pytest-asyncio wants to be told.
_SCOPE = ["-o", "asyncio_default_fixture_loop_scope=function"]
STYLES = {
    "asyncio": ("@pytest.mark.asyncio", ["-p", "no:anyio", *_SCOPE]),
    "asyncio-auto": ("", ["-p", "no:anyio", "-o", "asyncio_mode=auto", *_SCOPE]),
    "anyio": ("@pytest.mark.anyio", ["-p", "no:asyncio"]),
    "anyio-auto": ("", ["-p", "no:asyncio", "-o", "anyio_mode=auto"]),
    "both": ("@pytest.mark.asyncio", _SCOPE),
}


class Run:
    """Runs pytest on a program; what comes out of it.

    Args:
      marked: what stands before an asynchronous test.
    """

    def __init__(self, pytester: pytest.Pytester, marked: str, arguments: list[str]) -> None:
        self._pytester = pytester
        self._marked = marked
        self._arguments = arguments

    def __call__(self, source: str, *arguments: str) -> Any:
        text = textwrap.dedent(source).replace("@aio", self._marked)
        # A decorator that is nothing leaves a line that is indented.
        self._pytester.makepyfile(_PRELUDE + re.sub(r"(?m)^ *\n", "\n", text))
        return self._pytester.runpytest_subprocess(
            "-p", "uvgrpc_pytest", "-p", "no:cacheprovider", "-W", "error", *self._arguments, *arguments
        )


@pytest.fixture(params=STYLES)
def pytest_run(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Run:
    marked, arguments = STYLES[request.param]
    return Run(pytester, marked, arguments)


@pytest.fixture
def asyncio_run(pytester: pytest.Pytester) -> Run:
    return Run(pytester, *STYLES["asyncio"])


@pytest.fixture
def anyio_run(pytester: pytest.Pytester) -> Run:
    return Run(pytester, *STYLES["anyio"])


# ---- fixtures


def test_a_server_and_a_channel(pytest_run: Run) -> None:
    pytest_run("""
        @aio
        async def test_call(grpc_channel):
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
            assert isinstance(grpc_channel, uvgrpc.Channel)
            assert await uu(grpc_channel)(b"x") == b"re: x"
            assert [m async for m in us(grpc_channel)(b"x")] == [b"x"] * 10
            assert (await uu(grpc_channel)(b"peer")).startswith(b"re") is False
            assert (await uu(grpc_channel)(b"peer")).startswith(b"inproc:")

        @aio
        async def test_another(grpc_channel, grpc_server):
            assert isinstance(grpc_server, uvgrpc.Server)
            assert await uu(grpc_channel)(b"y") == b"re: y"
    """).assert_outcomes(passed=2)


def test_over_a_socket(pytest_run: Run) -> None:
    pytest_run(
        """
        @aio
        async def test_call(grpc_channel, grpc_server):
            assert (await uu(grpc_channel)(b"peer")).startswith(b"ipv4:127.0.0.1:")
            async with uvgrpc.insecure_channel(grpc_server.target) as other:
                assert await uu(other)(b"x") == b"re: x"
        """,
        "--grpc-loopback",
    ).assert_outcomes(passed=1)


def test_what_is_served(pytest_run: Run) -> None:
    pytest_run("""
        OTHER = Service(name="t.Other", methods={"UU": method("UU", False, False)})

        class Other:
            async def UU(self, request, context):
                return b"other"

        class TestPair:
            @pytest.fixture
            def grpc_servicers(self):
                return Other(), OTHER

            @aio
            async def test_call(self, grpc_channel):
                assert await grpc_channel.unary_unary("/t.Other/UU")(b"") == b"other"
                with pytest.raises(grpc.aio.AioRpcError):
                    await uu(grpc_channel)(b"")

        class TestSeveral:
            @pytest.fixture
            def grpc_servicers(self):
                return [Servicer(), (Other(), OTHER)]

            @aio
            async def test_call(self, grpc_channel):
                assert await grpc_channel.unary_unary("/t.Other/UU")(b"") == b"other"
                assert await uu(grpc_channel)(b"") == b"re: "

        @aio
        async def test_added(grpc_channel, grpc_server):
            grpc_server.add_servicer(Other(), OTHER)
            assert await grpc_channel.unary_unary("/t.Other/UU")(b"") == b"other"
            assert await uu(grpc_channel)(b"") == b"re: "
            with pytest.raises(RuntimeError, match="the server has started"):
                grpc_server.add_servicer(Other(), OTHER)

        @aio
        async def test_started_by_hand(grpc_server):
            grpc_server.add_insecure_port("127.0.0.1:0")
            target = grpc_server.target
            grpc_server.start()
            async with uvgrpc.insecure_channel(target) as channel:
                assert await uu(channel)(b"") == b"re: "
            async with testing.inproc_channel(grpc_server) as channel:
                assert await uu(channel)(b"") == b"re: "

        @aio
        async def test_never_started(grpc_channel, grpc_server):
            pass
    """).assert_outcomes(passed=5)


def test_arguments_of_server_and_channel(pytest_run: Run) -> None:
    pytest_run("""
        seen = []

        class Noting(grpc.aio.ServerInterceptor):
            async def intercept_service(self, continuation, details):
                seen.append(details.method)
                return await continuation(details)

        @pytest.fixture
        def grpc_server_arguments():
            return {"interceptors": [Noting()]}

        @pytest.fixture
        def grpc_channel_arguments():
            return {"options": [("grpc.max_receive_message_length", 10)]}

        @aio
        async def test_call(grpc_channel):
            assert await uu(grpc_channel)(b"x") == b"re: x"
            assert seen == ["/t.S/UU"]
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await uu(grpc_channel)(b"x" * 20)
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        class TestWrong:
            @pytest.fixture
            def grpc_server_arguments(self):
                return {"adress": 1}

            @aio
            async def test_call(self, grpc_channel):
                pass
    """).assert_outcomes(passed=1, errors=1)


def test_fixtures_that_stand_on_these(pytest_run: Run) -> None:
    pytest_run("""
        @pytest.fixture
        def stub(grpc_channel):
            return uu(grpc_channel)

        @aio
        async def test_call(stub):
            assert await stub(b"x") == b"re: x"
    """).assert_outcomes(passed=1)


@pytest.mark.parametrize("style", ["asyncio", "anyio"])
def test_asynchronous_fixtures_that_stand_on_these(pytester: pytest.Pytester, style: str) -> None:
    fixture = {"asyncio": "pytest_asyncio.fixture", "anyio": "pytest.fixture"}[style]
    module = {"asyncio": "import pytest_asyncio", "anyio": ""}[style]
    Run(pytester, *STYLES[style])(f"""
        {module}
        after = []

        @{fixture}
        async def logged_in(grpc_channel):
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
            assert await uu(grpc_channel)(b"in") == b"re: in"
            yield grpc_channel
            after.append(await uu(grpc_channel)(b"out"))

        @{fixture}
        async def own():
            # A fixture may keep calls, tasks and channels of its own.
            async with testing.serving(Servicer()) as channel:
                call = uu(channel)(b"wait")
                task = asyncio.ensure_future(asyncio.sleep(3600))
                yield channel
                call.cancel()
                task.cancel()

        @aio
        async def test_call(logged_in, own{", anyio_backend" if style == "anyio" else ""}):
            assert await uu(logged_in)(b"x") == b"re: x"
            assert await uu(own)(b"x") == b"re: x"

        def test_after():
            assert after == [b"re: out"]
    """).assert_outcomes(passed=2)


def test_synchronous_tests(pytest_run: Run) -> None:
    pytest_run("""
        def test_run(grpc_channel, grpc_server):
            async def main():
                return await uu(grpc_channel)(b"x")
            assert uvgrpc.run(main()) == b"re: x"

        def test_not_used(grpc_channel):
            pass
    """).assert_outcomes(passed=2)


# ---- loops


def test_only_tests_that_need_it_get_uvloop(pytest_run: Run) -> None:
    pytest_run("""
        class TestNot:
            @aio
            async def test_other(self):
                assert not isinstance(asyncio.get_running_loop(), uvloop.Loop)
    """).assert_outcomes(passed=1)


def test_the_marker_asks_for_uvloop(pytest_run: Run) -> None:
    pytest_run("""
        @pytest.mark.grpc
        @aio
        async def test_serving():
            async with testing.serving(Servicer()) as channel:
                assert await uu(channel)(b"x") == b"re: x"
    """).assert_outcomes(passed=1)


def test_names_of_tests_stay(asyncio_run: Run) -> None:
    result = asyncio_run(
        """
        @aio
        async def test_call(grpc_channel):
            assert await uu(grpc_channel)(b"x") == b"re: x"

        @aio
        async def test_other():
            pass
        """,
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines([r".*::test_call PASSED.*", r".*::test_other PASSED.*"])


def test_a_factory_of_the_project_comes_first(pytester: pytest.Pytester, asyncio_run: Run) -> None:
    pytester.makeconftest("""
        import uvloop

        class Own(uvloop.Loop):
            pass

        def pytest_asyncio_loop_factories(config, item):
            return {"own": Own}
    """)
    asyncio_run("""
        @aio
        async def test_call(grpc_channel):
            assert type(asyncio.get_running_loop()).__name__ == "Own"
            assert await uu(grpc_channel)(b"x") == b"re: x"
    """).assert_outcomes(passed=1)


def test_a_loop_for_a_module(asyncio_run: Run) -> None:
    asyncio_run("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        loops = []

        async def test_first(grpc_channel):
            loops.append(asyncio.get_running_loop())
            assert await uu(grpc_channel)(b"x") == b"re: x"

        async def test_second(grpc_channel):
            loops.append(asyncio.get_running_loop())
            assert await uu(grpc_channel)(b"x") == b"re: x"

        async def test_third():
            assert loops[0] is loops[1]
            assert uvgrpc.loop_stats(loops[0]).residents == 0
    """).assert_outcomes(passed=3)


def test_anyio_without_uvloop_where_nobody_needs_it(pytester: pytest.Pytester, anyio_run: Run) -> None:
    pytester.makepyfile(
        test_other="""
        import asyncio, pytest, uvloop

        @pytest.mark.anyio
        async def test_other():
            assert not isinstance(asyncio.get_running_loop(), uvloop.Loop)
        """
    )
    anyio_run("""
        @aio
        async def test_call(grpc_channel):
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    """).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "backend",
    ['"asyncio"', '("asyncio", {})', '("asyncio", {"use_uvloop": True})', '("asyncio", {"debug": True})'],
)
def test_backends_of_a_project(backend: str, anyio_run: Run) -> None:
    anyio_run(f"""
        @pytest.fixture
        def anyio_backend():
            return {backend}

        @aio
        async def test_call(grpc_channel, anyio_backend):
            assert anyio_backend[1]["use_uvloop"]
            assert await uu(grpc_channel)(b"x") == b"re: x"
    """).assert_outcomes(passed=1)


def test_a_loop_that_is_not_uvloops_is_told(anyio_run: Run) -> None:
    result = anyio_run("""
        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"use_uvloop": False}

        @aio
        async def test_call(grpc_channel):
            await uu(grpc_channel)(b"x")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UnsupportedLoopError: uvgrpc needs uvloop's event loop*"])


# ---- leaks

LEAKS = {
    "call": ("kept.append(uu(grpc_channel)(b'wait'))", "/t.S/UU, called by a client (UnaryUnaryCall)"),
    "stream": (
        "call = us(grpc_channel)(b'x'); kept.append(call); assert await call.receive() == b'x'",
        "/t.S/US, called by a client (UnaryStreamCall)",
    ),
    "task": (
        "await uu(grpc_channel)(b''); kept.append(asyncio.ensure_future(asyncio.sleep(3600)))",
        "the task Task-* (sleep)",
    ),
}
OPEN = {
    "channel": (
        "other = uvgrpc.insecure_channel('127.0.0.1:1'); other.get_state(); kept.append(other)",
        "the channel to 127.0.0.1:1 is not closed",
    ),
    "server": (
        "server = uvgrpc.server(); server.start(); kept.append(server)",
        "a server was not stopped",
    ),
}


@pytest.mark.parametrize("leak", [*LEAKS, *OPEN])
def test_leaks_are_errors(leak: str, pytest_run: Run) -> None:
    statement, text = (LEAKS | OPEN)[leak]
    result = pytest_run(f"""
        kept = []

        @aio
        async def test_leak(grpc_channel):
            {statement}

        @aio
        async def test_after(grpc_channel):
            assert await uu(grpc_channel)(b"x") == b"re: x"
    """)
    if leak in OPEN:
        result.assert_outcomes(passed=2, errors=1)
        result.stdout.fnmatch_lines(["*LeakError: open at the end of the test:*"])
    else:
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*LeakError: running at the end of the test:*"])
    result.stdout.fnmatch_lines([f"*{text}*".replace("[", "[[]")])


@pytest.mark.parametrize("how", ["option", "marker"])
def test_leaks_are_warnings_or_nothing(how: str, pytest_run: Run) -> None:
    for mode, warnings in (("warn", 2), ("off", 0)):
        marker = f'@pytest.mark.grpc_leaks("{mode}")' if how == "marker" else ""
        result = pytest_run(
            f"""
            kept = []

            {marker or "# no marker"}
            @aio
            async def test_leak(grpc_channel):
                kept.append(uu(grpc_channel)(b"wait"))
                await asyncio.sleep(0)
                other = uvgrpc.insecure_channel("127.0.0.1:1")
                other.get_state()
                kept.append(other)
            """,
            *(["--grpc-leaks", mode] if how == "option" else []),
            "-W",
            "default::pytest.PytestWarning",
        )
        result.assert_outcomes(passed=1, warnings=warnings)
        if warnings:
            result.stdout.fnmatch_lines(["*GrpcLeakWarning: running at the end of the test:*", "*/t.S/UU*"])
            result.stdout.fnmatch_lines(["*GrpcLeakWarning: open at the end of the test:*"])


def test_a_marker_that_is_wrong(asyncio_run: Run) -> None:
    result = asyncio_run("""
        @pytest.mark.grpc_leaks("perhaps")
        @aio
        async def test_leak(grpc_channel):
            pass
    """)
    assert result.ret != 0
    result.stdout.fnmatch_lines(['*the marker is grpc_leaks("error"), ("warn") or ("off")*'])


def test_what_is_no_leak(pytest_run: Run) -> None:
    pytest_run("""
        kept = []

        @aio
        async def test_clean(grpc_channel):
            call = uu(grpc_channel)(b"wait")
            call.cancel()
            circle = [us(grpc_channel)(b"x")]
            circle.append(circle)
            task = asyncio.ensure_future(asyncio.sleep(0.01))
            async with testing.serving(Servicer(), loopback=True) as channel:
                await uu(channel)(b"")
            stream = us(grpc_channel)(b"x")
            async for message in stream:
                pass
            kept.extend([call, stream])

        @aio
        async def test_of_something_else():
            kept.append(asyncio.ensure_future(asyncio.sleep(3600)))

        @aio
        async def test_that_fails(grpc_channel):
            kept.append(uu(grpc_channel)(b"wait"))
            assert False, "its own reason"
    """).assert_outcomes(passed=2, failed=1)


def test_other_projects_do_not_notice(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys, asyncio

        def test_nothing_is_imported():
            assert not {"grpc", "uvgrpc", "uvloop"} & {name.partition(".")[0] for name in sys.modules}

        async def test_asynchronous():
            assert "uvloop" not in sys.modules
    """)
    arguments = ("-p", "uvgrpc_pytest", "-p", "no:cacheprovider", "-W", "error", "-o", "asyncio_mode=auto")
    pytester.runpytest_subprocess(*arguments, *_SCOPE).assert_outcomes(passed=2)


# ---- many tests


def test_two_workers(pytest_run: Run) -> None:
    pytest_run(
        """
        @pytest.mark.parametrize("number", range(20))
        @aio
        async def test_call(number, grpc_channel):
            assert await uu(grpc_channel)(b"%d" % number) == b"re: %d" % number
        """,
        "-n",
        "2",
    ).assert_outcomes(passed=20)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["asyncio", "anyio"])
@pytest.mark.parametrize("arguments", [[], ["--grpc-loopback"]], ids=["inproc", "loopback"])
def test_a_thousand_tests(style: str, arguments: list[str], pytester: pytest.Pytester) -> None:
    result = Run(pytester, *STYLES[style])(
        """
        import gc, os, pathlib, time
        sample = {}

        def now():
            gc.collect()
            pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
            return time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))

        @pytest.mark.parametrize("number", range(1000))
        @aio
        async def test_call(number, grpc_channel):
            if number in (200, 600, 999):
                sample[number] = now()
            assert await uu(grpc_channel)(b"%d" % number) == b"re: %d" % number

        def test_growth():
            (t0, m0, f0), (t1, m1, f1), (t2, m2, f2) = sample.values()
            print("seconds", t1 - t0, t2 - t1, "bytes", m1 - m0, m2 - m1)
            # The second half takes as long as the first, on a machine that does other things, too.
            assert t2 - t1 < 3 * (t1 - t0) + 5
            assert m2 - m1 < 6_000_000
            assert f0 == f1 == f2
            assert len([one for one in gc.get_objects() if type(one) is uvloop.Loop]) < 20
        """,
        *arguments,
        "-rP",
        "-k",
        "",
    )
    result.assert_outcomes(passed=1001)
    print([line for line in result.outlines if line.startswith("seconds")])
