# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The results of a run as plain data: what run.py writes as JSON and report.py reads."""

from __future__ import annotations

import statistics
from typing import Literal, TypedDict

from harness.peers import BASE, BASELINE, SUBJECT, peer_named
from harness.scenario import Scenario, Target

SCHEMA = 3
Status = Literal["measured", "not yet", "not here", "failed"]


class PeerResult(TypedDict):
    status: Status
    reason: str
    versions: dict[str, str]
    note: str
    rounds: list[dict[str, float]]


class Run(TypedDict):
    schema: int
    date: str
    machine: dict[str, str]
    options: dict[str, float]
    other_side: str  # of the real connections
    scenarios: dict[str, dict[str, PeerResult]]  # by scenario and peer


def new_peer_result() -> PeerResult:
    return {"status": "measured", "reason": "", "versions": {}, "note": "", "rounds": []}


def median(result: PeerResult, metric: str) -> float | None:
    values = [values[metric] for values in result["rounds"] if metric in values]
    return statistics.median(values) if values else None


def spread(result: PeerResult, metric: str) -> float | None:
    """Largest less smallest, in parts of the median."""
    values = [values[metric] for values in result["rounds"] if metric in values]
    middle = statistics.median(values) if values else 0.0
    return (max(values) - min(values)) / middle if middle else None


def ratios(results: dict[str, PeerResult], peer: str, other: str, metric: str) -> list[float]:
    """Of a peer to another, round by round: what disturbed both in a round cancels out."""
    if peer not in results or other not in results:
        return []
    pairs = zip(results[peer]["rounds"], results[other]["rounds"], strict=False)
    return [
        mine[metric] / theirs[metric] for mine, theirs in pairs if mine.get(metric) and theirs.get(metric)
    ]


def ratio(results: dict[str, PeerResult], peer: str, metric: str) -> float | None:
    """The median of the ratios to the baseline."""
    found = ratios(results, peer, BASELINE.name, metric)
    return statistics.median(found) if found else None


def describe_comparison(scenario: Scenario, results: dict[str, PeerResult]) -> list[str]:
    """The project's two builds, if both were measured: a line a metric that is shown as a ratio."""
    lines = []
    for metric in scenario.metrics:
        found = ratios(results, SUBJECT.name, BASE.name, metric.key)
        if found and metric.ratio:
            each = " ".join(f"{value:.2f}" for value in found)
            lines.append(f"{metric.title}: {statistics.median(found):.2f}x {BASE.title} (rounds: {each})")
    return lines


def target_met(target: Target, results: dict[str, PeerResult]) -> tuple[bool, float | None]:
    """Whether the project itself meets a target, and with what value."""
    if target.relative_to:
        found = ratios(results, target.of, target.relative_to, target.metric)
        value = statistics.median(found) if found else None
    elif target.of in results:
        value = median(results[target.of], target.metric)
    else:
        value = None
    if value is None:
        return False, None
    high_enough = target.at_least is None or value >= target.at_least
    low_enough = target.at_most is None or value <= target.at_most
    return high_enough and low_enough, value


def describe_target(scenario: Scenario, target: Target, results: dict[str, PeerResult]) -> str:
    title = next(metric.title for metric in scenario.metrics if metric.key == target.metric)
    if target.of != SUBJECT.name:
        title = f"{peer_named(target.of).title}, {title}"
    bound = f"at least {target.at_least:g}" if target.at_least is not None else f"at most {target.at_most:g}"
    if target.relative_to:
        bound += f"x {peer_named(target.relative_to).title}"
    met, value = target_met(target, results)
    if value is None:
        return f"{title} {bound}: not measured"
    return f"{title} {bound}: {value:,.3g}, {'met' if met else 'missed'}"
