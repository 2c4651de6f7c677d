#!/usr/bin/env python3
# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Render results as Markdown: python bench/report.py RESULTS.json [RESULTS.md] (see bench/README.md)."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template
from typing import Any

from harness import ratios, results
from harness.peers import BASELINE, BENCH, SUBJECT, interpreter_with, peer_named
from harness.results import PeerResult, Run
from harness.scenario import Scenario

TEMPLATES = BENCH / "templates"


def table(scenario: Scenario, outcome: dict[str, PeerResult]) -> list[list[str]]:
    """A header and a row a peer, the fastest or best first as the first metric has it."""
    rows = [["peer", *(metric.title for metric in scenario.metrics), "spread"]]
    for name, result in outcome.items():
        row = [peer_named(name).title]
        if result["status"] != "measured":
            reason = result["reason"].strip().splitlines()[-1:] or ["no reason given"]
            rows.append([*row, f"{result['status']}: {reason[0]}", *[""] * len(scenario.metrics)])
            continue
        for metric in scenario.metrics:
            value = results.median(result, metric.key)
            cell = "-" if value is None else f"{value:,.{metric.digits}f}"
            relation = results.ratio(outcome, name, metric.key) if metric.ratio else None
            if relation is not None and name != BASELINE.name:
                cell += f" ({relation:.2f}x)"
            row.append(cell)
        spread = results.spread(result, scenario.metrics[0].key)
        row.append("-" if spread is None or len(result["rounds"]) < 2 else f"{spread:.0%}")
        rows.append(row)
    return rows


def notes(outcome: dict[str, PeerResult]) -> list[str]:
    return [
        f"{peer_named(name).title}: {result['note']}" for name, result in outcome.items() if result["note"]
    ]


def targets(scenario: Scenario, outcome: dict[str, PeerResult]) -> list[str]:
    return [results.describe_target(scenario, target, outcome) for target in scenario.targets]


def text_tables(scenario: Scenario, outcome: dict[str, PeerResult]) -> str:
    """For a terminal."""
    rows = table(scenario, outcome)
    widths = [max(len(row[column]) for row in rows if row[-1]) for column in range(len(rows[0]))]
    lines = ["", scenario.title]
    for row in rows:
        first = row[0].ljust(max(len(each[0]) for each in rows))
        rest = (
            [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            if row[-1]
            else [row[1]]
        )
        lines.append("  " + "  ".join([first, *rest]).rstrip())
    lines += [f"  {note}" for note in notes(outcome)]
    lines += [f"  {line}" for line in results.describe_comparison(scenario, outcome)]
    lines += [f"  target: {target}" for target in targets(scenario, outcome)]
    return "\n".join(lines)


def markdown_table(rows: list[list[str]]) -> str:
    header, *body = rows
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in body]
    return "\n".join(lines)


def bullets(lines: list[str], prefix: str) -> str:
    return "".join(f"\n- {prefix}{line}" for line in lines)


def load_kind(scenario: Scenario, run: Run) -> str:
    if scenario.real:
        return f"a real peer, {run['other_side']}"
    return scenario.other_side


def plots(run: Run) -> list[dict[str, Any]]:
    """What plots.py is to draw: the first metric of every scenario that compares peers."""
    found = []
    for name, outcome in run["scenarios"].items():
        scenario: Scenario = importlib.import_module(f"scenarios.{name}").SCENARIO
        metric = scenario.metrics[0]
        medians = {peer: results.median(result, metric.key) for peer, result in outcome.items()}
        bars = [
            {"peer": peer_named(peer).title, "value": value, "subject": peer == SUBJECT.name}
            for peer, value in medians.items()
            if value is not None
        ]
        if metric.ratio and len(bars) > 1:
            bars.sort(key=lambda bar: float(str(bar["value"])), reverse=metric.more_is_better)
            found.append(
                {
                    "name": name,
                    "title": scenario.title,
                    "metric": metric.title,
                    "digits": metric.digits,
                    "better": "more" if metric.more_is_better else "less",
                    "other_side": load_kind(scenario, run),
                    "bars": bars,
                }
            )
    return found


def draw(run: Run, folder: Path) -> None:
    """SVG and PNG, by an interpreter that has matplotlib."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plots(run), file)
        file.flush()
        command = [interpreter_with("plots"), str(BENCH / "plots.py"), file.name, str(folder)]
        subprocess.run(command, check=True)


def render(run: Run, plot_folder: str = "") -> str:
    parts = []
    drawn = {plot["name"] for plot in plots(run)} if plot_folder else set()
    versions: dict[str, str] = {}
    for name, outcome in run["scenarios"].items():
        scenario: Scenario = importlib.import_module(f"scenarios.{name}").SCENARIO
        folder = BENCH / "scenarios" / name
        parts.append(
            Template((TEMPLATES / "scenario.md").read_text()).substitute(
                title=scenario.title,
                method=(folder / "method.md").read_text().strip(),
                table=markdown_table(table(scenario, outcome)),
                other_side=load_kind(scenario, run),
                plot=f"![{scenario.title}]({plot_folder}/{name}.svg)\n\n" * (name in drawn),
                remarks=bullets(notes(outcome), "")
                + bullets(results.describe_comparison(scenario, outcome), "")
                + bullets(targets(scenario, outcome), "Target: "),
            )
        )
        for result in outcome.values():
            versions |= result["versions"]
    return Template((TEMPLATES / "report.md").read_text()).substitute(
        run["machine"],
        date=run["date"],
        seconds=f"{run['options']['seconds']:g}",
        rounds=f"{run['options']['rounds']:g}",
        smoke="**A quick run: it shows that everything works; its numbers mean nothing.**\n\n"
        * bool(run["options"]["quick"]),
        baseline=BASELINE.title,
        versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        scenarios="\n".join(parts),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Render a result of run.py --json as Markdown.")
    parser.add_argument("results", type=Path, help="the JSON file")
    parser.add_argument("output", type=Path, nargs="?", help="the Markdown file; default standard output")
    parser.add_argument("--plots", action="store_true", help="draw plots beside the Markdown file")
    parser.add_argument(
        "--ratios", action="store_true", help=f"write {ratios.COMMITTED.name}, which run.py --check reads"
    )
    arguments = parser.parse_args()
    run: Run = json.loads(arguments.results.read_text())
    if run.get("schema") != results.SCHEMA:
        sys.exit(
            f"report: {arguments.results} has schema {run.get('schema')}, not {results.SCHEMA}: "
            "run the benchmark again"
        )
    if (arguments.plots and not arguments.output) or (arguments.ratios and run["options"]["quick"]):
        parser.error("--plots needs an output, --ratios a full run")
    if arguments.ratios:
        ratios.write(ratios.collect(run), ratios.COMMITTED)
    folder = arguments.output.with_suffix("") if arguments.plots else None
    if folder:
        draw(run, folder)
    text = render(run, folder.name if folder else "")
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
