"""The picture of rate-distortion curves: quality over rate, one panel for each task."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from tokbench.rates import Curve
from tokbench.types import Score

Picture = tuple[str, Score, Score, Curve, list[Curve]]
"""Task, rate, quality, baseline, other curves."""


def drawn(pictures: Sequence[Picture], form: str) -> bytes:
    """As `png` or `svg`; equal input gives equal bytes. Bars are 95 % bootstrap intervals of each
    point by itself; the curves share their samples, so differences are surer than they look."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot, ticker

    with matplotlib.rc_context({"svg.hashsalt": "tokbench", "svg.fonttype": "none"}):
        figure, axes = pyplot.subplots(
            1,
            len(pictures),
            figsize=(5.6 * len(pictures), 4.2),
            squeeze=False,
            layout="constrained",
        )
        for axis, (task, rate, metric, anchor, others) in zip(axes[0], pictures, strict=True):
            sign = 1 if metric.better == "higher" else -1
            for number, curve in enumerate([anchor, *others]):
                quality = sign * curve.quality
                bars = None
                if curve.quality_draws is not None:
                    ends = np.quantile(sign * curve.quality_draws, [0.025, 0.975], axis=0)
                    bars = np.maximum(np.abs(ends - quality), 0)
                style = "--" if number == 0 else "-"
                axis.errorbar(
                    curve.rate, quality, yerr=bars, fmt=style, marker="o", markersize=4,
                    capsize=2, elinewidth=0.8, label=curve.name, color=f"C{number % 10}",
                )  # fmt: skip
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_formatter(ticker.NullFormatter())
            axis.set_title(task)
            axis.set_xlabel(f"{rate.name} ({rate.unit})")
            axis.set_ylabel(f"{metric.name} ({metric.unit})")
            axis.grid(visible=True, which="both", alpha=0.25)
            axis.legend()
        file = io.BytesIO()
        plain = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, metadata=plain, dpi=150)
        pyplot.close(figure)
    return file.getvalue()
