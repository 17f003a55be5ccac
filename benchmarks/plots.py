"""Plots as SVG: lines over two logarithmic axes, readable on light and dark pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.waiting import FIGURES

FOLDER = Path(__file__).parents[1] / "docs" / "performance"
_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 40, 50
_COLORS = ("#2a78d6", "#d6652a", "#3a9a5b")
_STYLE = """\
text { font: 13px sans-serif; fill: #1f2328 } .title { font-size: 15px; font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 } .line { fill: none; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .grid { stroke: #3d444d } }"""


class Axis:
    """A logarithmic axis from one power of ten to another, over a range of pixels."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(values)) - 1e-9))
        self._first, self._last = first, last

    def place(self, value: float) -> float:
        """Where a value is, in pixels."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    @property
    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self._low, self._high + 1)]


def chart(title: str, across: str, xs: Sequence[float], lines: Mapping[str, Sequence[float]], floor: float) -> str:
    """An SVG with one line for each name.

    A logarithm has no place for zero, so what is smaller stands at `floor`.
    """
    drawn = {name: [max(floor, value) for value in values] for name, values in lines.items()}
    x = Axis(xs, _LEFT, _WIDTH - _RIGHT)
    y = Axis([value for values in drawn.values() for value in values], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        _text(_LEFT, 20, title, kind="title"),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, across, anchor="middle"),
    ]
    for tick in x.ticks:
        parts.append(_grid(x.place(tick), _TOP, x.place(tick), _HEIGHT - _BOTTOM))
        parts.append(_text(x.place(tick), _HEIGHT - _BOTTOM + 18, f"{tick:,.0f}", anchor="middle"))
    for tick in y.ticks:
        parts.append(_grid(_LEFT, y.place(tick), _WIDTH - _RIGHT, y.place(tick)))
        parts.append(_text(_LEFT - 8, y.place(tick) + 4, f"{tick:,g}", anchor="end"))
    for (name, values), color in zip(drawn.items(), _COLORS, strict=False):
        points = [(x.place(across), y.place(value)) for across, value in zip(xs, values, strict=True)]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
        parts.append(f'<polyline class="line" stroke="{color}" points="{path}"/>')
        parts += [f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" fill="{color}"/>' for left, top in points]
        parts.append(_text(points[-1][0] + 10, points[-1][1] + 4, name))
    return "\n".join([*parts, "</svg>\n"])


def _text(left: float, top: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _grid(left: float, top: float, right: float, bottom: float) -> str:
    return f'<line class="grid" x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>'


def draw() -> None:
    """Draw what was last measured."""
    figures = json.loads(FIGURES.read_text())
    across = "renders that are waited for; beyond 1,000, on several triggerers"
    for name, title, floor, factor in (
        ("requests", "Requests to Renderjuice in 30 seconds", 1, 1),
        ("cpu", "Processor time of the triggerers, seconds a minute", 0.01, 1),
        ("stall", "Longest stall of the event loop, milliseconds", 1, 1000),
    ):
        lines = {who: [factor * value for value in values] for who, values in figures[name].items()}
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"waiting-{name}.svg").write_text(chart(title, across, figures["renders"], lines, floor))


if __name__ == "__main__":
    draw()
