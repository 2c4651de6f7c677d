# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Every block of code in the documentation, run.

What a block is, its language says; what it needs, the comment on the line before it, which no reader sees:

    <!-- test: greeter, in main() -->

- `python` is run as a program, in a folder with the page's titled blocks and with code generated from
  helloworld.proto. A port 50051 is exchanged for a free one. The comment names set-ups of documented.py, or:
  `in main()` (in a coroutine; so is what awaits at its top level), `pytest` (as tests).
- `console` and `sh` are read: their programs, targets, files, modules and packages exist. `run` has them
  run in the page's folder, where they print what is shown, and `run in the repository` there.
- `cpp` and `cmake` are lines of an example's files, which its own test builds.
- `proto` is compiled. `ini` is parsed. `yaml` and `mermaid` are parsed and drawn when the site is built.
- `not run: ...` says why a block of any kind is not; it is a skipped test.
"""

from __future__ import annotations

import configparser
import functools
import importlib.metadata
import importlib.util
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from documented import CALLED, IN_MAIN, SETUPS
from support import environment, unused_port

import uvgrpc
import uvgrpc.aio
import uvgrpc.testing

pytestmark = pytest.mark.uvgrpc_only

ROOT = Path(__file__).resolve().parents[2]
PROTOS = Path(__file__).with_name("documented_protos")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "bench/README.md", "third_party/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/**/README.md")),
]
# What shows output, a drawing, or something for programs that are not here; not code of ours.
SHOWN = {"text", "mermaid", "yaml", "dockerfile"}
# Another test writes this page's Python into the files that it names, and follows the page with them.
FOLLOWED = {"docs/tutorial.md": "test_tutorial.py"}

_BLOCK = re.compile(
    r"(?:^ *<!-- test: (?P<note>.*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    page: str
    line: int
    language: str
    title: str | None
    text: str
    note: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def asks(self) -> list[str]:
        return [part.strip() for part in self.note.split(",") if part]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        indent = found["indent"]
        code = re.sub(f"^{indent}", "", found["text"], flags=re.MULTILINE)
        line = text.count("\n", 0, found.start()) + 1
        name = page.relative_to(ROOT).as_posix()
        yield Block(name, line, found["language"], found["title"], code, found["note"] or "")


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def of(*languages: str) -> pytest.MarkDecorator:
    """Parametrizes a test by the blocks of these languages."""
    marks = []
    for block in BLOCKS:
        followed = block.page in FOLLOWED and block.language == "python"
        if block.language in languages and not followed:
            reason = block.note.removeprefix("not run: ") if block.note.startswith("not run: ") else ""
            skip = [pytest.mark.skip(reason=f"{block}: {reason}")] if reason else []
            marks.append(pytest.param(block, id=str(block), marks=skip))
    return pytest.mark.parametrize("block", marks)


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_block_of_a_page_is_overlooked(page: Path) -> None:
    prose = _prose(page)
    assert "```" not in prose, "a fence that is not read"
    assert "<!-- test:" not in prose, "a comment that is not right before a block"
    assert not re.search(r"\n\n(?: {4}|\t)\S", prose), "an indented block of code: it has no language"
    known = {"python", "console", "sh", "proto", "ini", "cpp", "cmake", *SHOWN}
    assert {block.language for block in _blocks(page)} <= known


def test_another_test_follows_the_tutorial() -> None:
    for page, test in FOLLOWED.items():
        assert Path(page).name in Path(__file__).with_name(test).read_text()
        loose = [block for block in BLOCKS if block.page == page and block.language != "console"]
        assert all(block.title for block in loose), "a block that is not one of its files"


# ---- folders that blocks run in


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By page: its files, and what is generated from its .proto, or from ours."""
    ready: dict[str, Path] = {}
    generated: dict[str, Path] = {}
    for page in {block.page for block in BLOCKS}:
        files = {block.title: block.text for block in BLOCKS if block.page == page and block.title}
        proto = files.get("helloworld.proto") or (PROTOS / "helloworld.proto").read_text()
        if proto not in generated:
            generated[proto] = tmp_path_factory.mktemp("generated")
            (generated[proto] / "helloworld.proto").write_text(proto)
            _generate(generated[proto])
        ready[page] = folder = tmp_path_factory.mktemp("page")
        for path in generated[proto].iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        for name, text in files.items():
            (folder / name).write_text(text)
    return ready


def _generate(folder: Path) -> None:
    plugins = {
        "uvgrpc": "from uvgrpc.codegen.plugin import main",
        "grpclib_python": "from grpclib.plugin.main import main",
    }
    arguments = []
    for kind, line in plugins.items():
        script = folder / f"protoc-gen-{kind}"
        script.write_text(f"#!{sys.executable}\n{line}\nmain()\n")
        script.chmod(0o755)
        arguments += [f"--plugin={script}", f"--{kind}_out=."]
    outputs = ["--python_out=.", "--grpc_python_out=.", *arguments]
    done = _run([sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, "helloworld.proto"], folder)
    assert done.returncode == 0, done.stderr
    for kind in plugins:
        (folder / f"protoc-gen-{kind}").unlink()


def _run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    package = str(Path(uvgrpc.__file__).parents[1])
    inherited = environment()
    paths = [str(folder), package, inherited["PYTHONPATH"]]
    programs = [str(folder / ".bin"), str(Path(sys.executable).parent), inherited["PATH"]]
    env = {**inherited, "PYTHONPATH": ":".join(paths), "PATH": ":".join(programs), **variables}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


# ---- python


@of("python")
def test_python(block: Block, folders: dict[str, Path]) -> None:
    folder = folders[block.page]
    port = str(unused_port())
    source = block.text.replace("50051", port)
    if "pytest" in block.asks:
        _is_a_test(source, folder)
        return
    file = folder / f"block_{block.line}.py"
    file.write_text(source)
    asks = block.asks
    unknown = set(asks) - {*SETUPS, IN_MAIN}
    assert not unknown, f"no such set-up: {unknown}"
    runner = str(Path(__file__).with_name("documented.py"))
    done = _run([sys.executable, runner, port, file.name, *asks], folder)
    # Threaded grpc leaves SIGTERM to the system.
    ends = {0, -signal.SIGTERM} if {"caller", "activation"} & set(asks) else {0}
    assert done.returncode in ends, done.stdout + done.stderr
    assert len(ends) == 1 or CALLED in done.stdout


def _is_a_test(source: str, folder: Path) -> None:
    (folder / "test_block.py").write_text(f"from documented_names import *\n{source}")
    plugins = ["-p", "no:cacheprovider", "-p", "pytest_asyncio", "-c", "pytest.ini"]
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    if not importlib.metadata.entry_points(group="pytest11", name="uvgrpc_pytest"):
        plugins += ["-p", "uvgrpc_pytest"]
    done = _run([sys.executable, "-m", "pytest", "-q", *plugins, "test_block.py"], folder)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- proto, ini


@of("proto")
def test_proto(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.proto").write_text(block.text)
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--descriptor_set_out=set", "block.proto"]
    done = _run(command, tmp_path)
    assert done.returncode == 0, done.stderr


@of("ini")
def test_ini(block: Block) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    assert parser.sections()


@functools.cache
def _lines_of_examples() -> set[str]:
    files = [path for kind in ("*.cc", "*.h", "CMakeLists.txt") for path in ROOT.glob(f"examples/*/{kind}")]
    return {line.strip() for path in files for line in path.read_text().splitlines()}


@of("cpp", "cmake")
def test_cpp(block: Block) -> None:
    assert not {line.strip() for line in block.text.splitlines()} - _lines_of_examples() - {""}


@of("yaml", "dockerfile")
def test_what_is_for_other_programs(block: Block) -> None:
    raise AssertionError("say in a comment why it is not run")


# ---- console, sh


@of("console", "sh")
def test_console(block: Block, folders: dict[str, Path]) -> None:
    commands = [command for line in _commands(block) for command in _parts(line)]
    assert commands
    for command in commands:
        wrong = _what_is_wrong(command, block)
        assert not wrong, f"{shlex.join(command)}: {wrong}"
    if block.note in ("run", "run in the repository"):
        _run_shown(block, ROOT if "repository" in block.note else folders[block.page])


def _commands(block: Block) -> list[str]:
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def _parts(line: str) -> Iterator[list[str]]:
    words: list[str] = []
    line = re.sub(r" > \S+", "", line)
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word in ("&&", "&", "|"):
            if words:
                yield words
            words = []
        elif words or not re.match(r"[A-Z_]+=", word):
            words.append(word)


def _run_shown(block: Block, folder: Path) -> None:
    """Runs a block's commands, which print what it shows."""
    binaries = folder / ".bin"
    if folder != ROOT and not binaries.exists():
        binaries.mkdir()
        plugin = binaries / "protoc-gen-uvgrpc"
        plugin.write_text(f"#!{sys.executable}\nfrom uvgrpc.codegen.plugin import main\nmain()\n")
        plugin.chmod(0o755)
        python = binaries / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        done = _run(["bash", "-c", command], folder)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert not shown or done.stdout == shown


@functools.cache
def _pinned() -> set[str]:
    """Names of packages that third_party/ pins, and ours."""
    text = "\n".join(path.read_text() for path in ROOT.glob("third_party/*.txt"))
    return {"uvgrpc", "pip", *re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE)}


@functools.cache
def _targets() -> set[str]:
    lines = re.findall(r"^([a-z][\w -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for line in lines for name in line.split()}


def _what_is_wrong(command: list[str], block: Block) -> str:
    """Why a command cannot be followed; empty if it can."""
    program, *arguments = command
    plain = [word for word in arguments if not word.startswith("-")]
    if program.startswith(".venv-"):
        program = Path(program).name
    if program == "make":
        unknown = [word for word in plain if "=" not in word and word not in _targets()]
        return f"no targets {unknown}" if unknown else ""
    if program == "pip":
        names = [re.sub(r"\[.*|==.*", "", word).lower() for word in plain[1:] if word != "."]
        unknown = [name for name in names if name not in _pinned()]
        return f"not pinned in third_party: {unknown}" if unknown else ""
    if program in ("python", "python3"):
        return _wrong_python(arguments, block)
    if program in ("pytest", "mypy", "ruff"):
        gone = [word for word in plain if "/" in word and not (ROOT / word).exists()]
        return f"no such files: {gone}" if gone else ""
    if program == "cmake" and "--preset" not in arguments:
        asked = [arguments[at + 1] for at, word in enumerate(arguments) if word in ("-S", "-P")]
        folders = (ROOT, (ROOT / block.page).parent)
        gone = [word for word in asked if not any((folder / word).exists() for folder in folders)]
        return f"no such files: {gone}" if gone else ""
    if program in ("cmake", "ctest"):
        presets = (ROOT / "CMakePresets.json").read_text()
        known = {preset["name"] for preset in json.loads(presets)["configurePresets"]}
        asked = {arguments[at + 1] for at, word in enumerate(arguments) if word == "--preset"}
        return "" if asked and asked <= known else f"no such presets: {asked}"
    if program.startswith("build/"):
        name = Path(program).name
        files = [*ROOT.glob("tests/cpp/**/CMakeLists.txt"), *ROOT.glob("examples/*/CMakeLists.txt")]
        return "" if any(name in file.read_text() for file in files) else "no such program is built"
    if program in ("cd", "printf", "chmod", "kill", "uvicorn"):
        return ""
    return "it cannot be checked: say `not run: ...`, or `run`"


def _wrong_python(arguments: list[str], block: Block) -> str:
    if arguments[0] == "-m":
        return "" if importlib.util.find_spec(arguments[1].partition(".")[0]) else "no such module"
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
        return ""
    titles = {one.title for one in BLOCKS if one.page == block.page}
    here = (ROOT / block.page).parent / arguments[0]
    if arguments[0] in titles or here.exists() or (ROOT / arguments[0]).exists():
        return ""
    return "no such file"


# ---- links, as the repository shows the pages; those of the site are checked when it is built

_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    for link in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in _anchors(path), f"{link}: no such heading"


# ---- the reference


@pytest.mark.parametrize(
    ("page", "module"),
    [("uvgrpc", uvgrpc), ("aio", uvgrpc.aio), ("testing", uvgrpc.testing)],
    ids=["uvgrpc", "aio", "testing"],
)
def test_the_reference_has_every_public_name(page: str, module: object) -> None:
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text()
    named = set(re.findall(r"^::: [\w.]+?\.(\w+)$|`(?:uvgrpc\.)?(\w+)`", text, re.MULTILINE))
    missing = set(module.__all__) - {name for pair in named for name in pair}  # type: ignore[attr-defined]
    assert not missing


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 120
    assert len(re.findall(r"!\[", text)) == 1
