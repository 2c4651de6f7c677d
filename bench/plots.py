# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the bars of a report: python bench/plots.py PLOTS.json FOLDER (report.py --plots calls it).

It imports matplotlib and nothing of the harness, so that it can run in an environment of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "uvgrpc"  # the same results are the same file

from matplotlib import pyplot  # noqa: E402

SUBJECT, OTHERS = "#1f77b4", "#b0b7bf"
WIDTH, ROW = 8.0, 0.32  # inches
FORMATS: dict[str, dict[str, Any]] = {"svg": {"metadata": {"Date": None}}, "png": {"dpi": 120}}


def draw(plot: dict[str, Any], folder: Path) -> None:
    bars = plot["bars"]
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.1 + ROW * len(bars)), layout="constrained")
    names = [bar["peer"] for bar in bars]
    values = [bar["value"] for bar in bars]
    colours = [SUBJECT if bar["subject"] else OTHERS for bar in bars]
    drawn = axes.barh(names, values, color=colours)
    axes.bar_label(drawn, [f"{value:,.{plot['digits']}f}" for value in values], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(plot["title"], fontsize=10, loc="left")
    axes.set_xlabel(f"{plot['metric']} ({plot['better']} is better); {plot['other_side']}", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    for kind, options in FORMATS.items():
        figure.savefig(folder / f"{plot['name']}.{kind}", **options)
    pyplot.close(figure)


def main() -> None:
    source, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for plot in json.loads(source.read_text()):
        draw(plot, folder)


if __name__ == "__main__":
    main()
