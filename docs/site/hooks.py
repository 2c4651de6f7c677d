# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What mkdocs does not do by itself for this repository.

The site has the layout of the repository, with docs/ as its root, so that every page reads well in
both. Pages outside docs/ are brought in; links between all of them are turned into the site's.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from markdown.blockprocessors import build_block_parser
from markdown.extensions import Extension
from mermaidx import render
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pymdownx.superfences import SuperFencesException

VERSION = version("mermaidx")
ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md", "bench/results/latest.md"),
    *("examples/README.md", "examples/*/README.md", "src/iomgr_uv/README.md", "third_party/README.md"),
)
PICTURES = ("bench/results/latest/*.svg", "bench/results/soak.svg")
# What of an example is shown below its README.
SOURCES = ("*.proto", "*.py", "*.cc", "*.h", "CMakeLists.txt")
LANGUAGES = {".proto": "proto", ".py": "python", ".cc": "cpp", ".h": "cpp", ".txt": "cmake"}

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|link(?![^>]+rel=.?(?:canonical|next|prev)))\b[^>]+(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)


def _example_pages() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/README.md"))


def _title(path: str) -> str:
    first = (ROOT / path).read_text().partition("\n")[0]
    return first.removeprefix("# ")


class TwoSpaces(Extension):
    """What belongs to an item of a list is indented by two spaces, as the repository's own view has it."""

    def extendMarkdown(self, md: Any) -> None:
        md.tab_length = 2
        md.parser = build_block_parser(md)


def on_config(config: Any) -> Any:
    # The first, since others change the parser that it makes.
    config.markdown_extensions.insert(0, TwoSpaces())
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [{"name": "mermaid", "class": "drawing", "format": _draw}]
    }
    sections = {name: pages for entry in config.nav for name, pages in entry.items()}
    sections["Examples"].extend({_title(path): path} for path in _example_pages())
    # Pages that nobody has given a place yet.
    named = str(config.nav)
    for path in sorted((ROOT / "docs").glob("*.md")):
        if f"'{path.name}'" not in named:
            sections["Inside"].append({_title(f"docs/{path.name}"): path.name})
    return config


def on_files(files: Files, config: Any) -> Files:
    for pattern in (*OUTSIDE, *PICTURES):
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    for match in FENCE.finditer(markdown):
        if match[2] == "yaml":
            list(yaml.safe_load_all(match[3]))
    markdown = _outside_fences(markdown, lambda text: LINK.sub(lambda link: _link(link, page, files), text))
    source = Path(page.file.abs_src_path)
    if source.relative_to(ROOT).match("examples/*/README.md"):
        markdown += _sources(source.parent)
    return markdown


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for match in FENCE.finditer(markdown):
        parts += [change(markdown[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(markdown[end:])])


def _link(link: re.Match[str], page: Any, files: Files) -> str:
    """A link of the repository as one of the site: to a page, or none at all if that is not there."""
    picture, label, whole = link.groups()
    if re.match(r"[a-z]+:|#", whole):
        return link[0]
    target, mark, anchor = whole.partition("#")
    path = (Path(page.file.abs_src_path).parent / target).resolve()
    if path.is_dir():
        path /= "README.md"
    if not path.exists() or not path.is_relative_to(ROOT):
        # What does not exist is for mkdocs to complain of; folders without a page have none to link to.
        return label if path.name == "README.md" and path.parent.is_dir() else link[0]
    name = path.relative_to(ROOT).as_posix().removeprefix("docs/")
    if files.get_file_from_path(name) is None:
        return label
    relative = os.path.relpath(name, os.path.dirname(page.file.src_uri) or ".")
    return f"{picture}[{label}]({relative}{mark}{anchor})"


def _sources(folder: Path) -> str:
    """The files of an example, as chapters."""
    parts = []
    for pattern in SOURCES:
        for path in sorted(folder.glob(pattern)):
            if path.stem.endswith(("_pb2", "_pb2_grpc", "_uvgrpc")):
                continue
            text = path.read_text().rstrip()
            parts.append(f"\n## `{path.name}`\n\n```{LANGUAGES[path.suffix]}\n{text}\n```\n")
    return "\n" + "".join(parts)


def _draw(source: str, language: str, css_class: str, *_: Any, **__: Any) -> str:
    """A fence of Mermaid's as a drawing in the page."""
    name = hashlib.sha256((VERSION + source).encode()).hexdigest()[:12]
    kept = ROOT / "build" / "drawings" / f"{name}.svg"
    if not kept.exists():
        # Its labels as SVG's own text: HTML in it would be of another size than it was measured with.
        config = {"htmlLabels": False, "flowchart": {"htmlLabels": False}}
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            drawing = render(source, theme="neutral", config=config).svg()
        except RuntimeError as error:
            raise SuperFencesException(str(error)) from error
        kept.write_text(drawing)
    # All drawings have the same id, which their styles begin with.
    drawn = kept.read_text().replace("my-svg", f"drawing-{name}")
    # On a narrow screen a wide one is moved sideways, not made too small to read.
    width = float(re.search(r'viewBox="\S+ \S+ (\S+)', drawn)[1])
    return f'<div class="{css_class}{" wide" if width > 640 else ""}">{drawn}</div>'


def on_post_page(output: str, page: Any, config: Any) -> str:
    foreign = FOREIGN.search(output)
    if foreign:
        raise PluginError(f"{page.file.src_uri} loads from another host: {html.unescape(foreign[0])}")
    return output
