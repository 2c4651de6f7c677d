# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's ratios to the other peers, which results/ratios.json keeps of a full run."""

from __future__ import annotations

import importlib
import json
import statistics
from pathlib import Path

from harness.peers import BASE, BENCH, SUBJECT, peer_named
from harness.results import Run, ratios
from harness.scenario import Scenario

COMMITTED = BENCH / "results" / "ratios.json"
TOLERANCE = 0.15

# By scenario, metric and peer: the median of the ratios in the same round.
Ratios = dict[str, dict[str, dict[str, float]]]


def collect(run: Run) -> Ratios:
    """Of all metrics that are shown as ratios."""
    found: Ratios = {}
    for name, outcome in run["scenarios"].items():
        for metric in _scenario(name).metrics:
            for peer in outcome:
                values = ratios(outcome, SUBJECT.name, peer, metric.key)
                if metric.ratio and values and peer not in (SUBJECT.name, BASE.name):
                    by_metric = found.setdefault(name, {}).setdefault(metric.key, {})
                    by_metric[peer] = float(f"{statistics.median(values):.3g}")
    return found


def read(file: Path = COMMITTED) -> Ratios | None:
    if not file.exists():
        return None
    loaded: Ratios = json.loads(file.read_text())
    return loaded


def write(found: Ratios, file: Path) -> None:
    file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def fallen(now: Ratios, before: Ratios) -> list[str]:
    """A line for each ratio that is worse than it was by more than the tolerance."""
    lines = []
    for name, metrics in now.items():
        scenario = _scenario(name)
        for metric in scenario.metrics:
            for peer, value in metrics.get(metric.key, {}).items():
                was = before.get(name, {}).get(metric.key, {}).get(peer)
                if was is None:
                    continue
                gain = value / was if metric.more_is_better else was / value
                if gain < 1 - TOLERANCE:
                    lines.append(
                        f"{name}: {metric.title} {value:.3g}x {peer_named(peer).title}, was {was:.3g}x"
                    )
    return lines


def _scenario(name: str) -> Scenario:
    scenario = importlib.import_module(f"scenarios.{name}").SCENARIO
    assert isinstance(scenario, Scenario)
    return scenario
