"""What a night came to, in figures: spent, per frame, and against the same shot's last nights.

What is not known is said, and never counted as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

Entry = Mapping[str, Any]
Nights = Sequence[tuple[str, Mapping[str, Entry]]]
"""Earlier nights, the last one first: each date with its entries by shot."""
NOTEWORTHY = 0.15
"""A frame that costs this much more or less than usual is marked."""


class Cost(NamedTuple):
    """Normalized seconds of jobs, and of how many jobs they are not known."""

    seconds: float = 0.0
    unknown: int = 0

    def __add__(self, other: Any) -> Cost:
        return Cost(self.seconds + other.seconds, self.unknown + other.unknown)

    def __str__(self) -> str:
        if not self.unknown:
            return seconds_text(self.seconds) if self.seconds else "nothing"
        jobs = "1 job" if self.unknown == 1 else f"{self.unknown} jobs"
        return f"{seconds_text(self.seconds)} + {jobs} unknown" if self.seconds else f"unknown ({jobs})"


class Comparison(NamedTuple):
    """A shot's cost per frame, and what it was in earlier nights with the same settings."""

    now: float
    earlier: tuple[tuple[str, float], ...]
    """By night, the first one first."""

    @property
    def usual(self) -> float:
        """The median of the earlier nights."""
        return median(value for _, value in self.earlier)

    @property
    def change(self) -> float:
        """0.1 for ten percent more than usual."""
        return self.now / self.usual - 1

    @property
    def mark(self) -> str:
        """`dearer`, `cheaper`, or "" for about as usual."""
        return "" if abs(self.change) < NOTEWORTHY else "dearer" if self.change > 0 else "cheaper"

    @property
    def bars(self) -> list[tuple[str, float]]:
        """Each night and this one, as shares of the dearest."""
        values = [*self.earlier, ("this night", self.now)]
        most = max(value for _, value in values)
        return [(f"{night}: {per_frame_text(value)}", value / most) for night, value in values]


def seconds_text(seconds: float) -> str:
    """`0.4 s`, `183 s`, `4,210 s`."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def per_frame_text(seconds: float) -> str:
    """`1.93 s per frame`."""
    return f"{seconds:.2f} s per frame" if seconds < 10 else f"{seconds:,.0f} s per frame"


def quote_text(entry: Entry) -> str:
    """`quoted 120 s (102 to 138), share 138 s`; empty where the shot had no quote."""
    quote = entry.get("quote")
    if not quote:
        return ""
    text = f"quoted {seconds_text(quote['likely'])} ({quote['least']:,.0f} to {quote['most']:,.0f})"
    share = entry.get("share")
    return text if share is None else f"{text}, share {seconds_text(share)}"


def by_layer(entry: Entry) -> dict[str, list[str]]:
    """The jobs of a shot by layer, of all runs of the night; under "" those of unknown layers."""
    ordered: Mapping[str, Mapping[str, Any]] = entry.get("jobs") or {}
    found: dict[str, list[str]] = {}
    for job in entry.get("spent") or {}:
        found.setdefault(ordered[job]["layer"] if job in ordered else "", []).append(job)
    return found


def cost_of_layers(entry: Entry) -> dict[str, Cost]:
    """What each layer cost, as far as the layers of jobs are known."""
    costs = {layer: [entry["spent"][job] for job in jobs] for layer, jobs in by_layer(entry).items() if layer}
    return {
        layer: Cost(sum(seconds or 0.0 for seconds in each), sum(seconds is None for seconds in each))
        for layer, each in costs.items()
    }


def cost_again(entry: Entry) -> float:
    """Seconds of frames that had been ordered before, as far as costs are known.

    Such as after a job that failed, or since they looked wrong. A job costs its frames alike.
    """
    spent = entry.get("spent") or {}
    parts: list[float] = [
        (spent.get(job) or 0.0) * ordered["again"] / ordered["frames"]
        for job, ordered in (entry.get("jobs") or {}).items()
        if ordered["frames"]
    ]
    return sum(parts)


def again_text(entry: Entry) -> str:
    """`5.0 s of it for frames ordered again`; empty where there are none."""
    seconds = cost_again(entry)
    return f"{seconds_text(seconds)} of it for frames ordered again" if seconds else ""


def ceiling_of(entries: Iterable[Entry]) -> float | None:
    """The night's ceiling; None where it had none."""
    return max((entry["ceiling"] for entry in entries if entry.get("ceiling") is not None), default=None)


def duration_text(seconds: float) -> str:
    """`2 h 05 min`, `12 min`; empty below a minute."""
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min" if minutes else ""


def cost_of(entry: Entry) -> Cost:
    """What a shot cost in a night, failed and killed renders included."""
    if spent := entry.get("spent"):
        known = [seconds for seconds in spent.values() if seconds is not None]
        return Cost(sum(known), len(spent) - len(known))
    if seconds := entry.get("render_seconds"):
        return Cost(seconds)
    # A delivery of which nothing is on record was paid by somebody.
    silent = not entry.keys() & {"spent", "render_seconds"} and entry["state"] in {"delivered", "failed"}
    return Cost(unknown=1) if silent else Cost()


def per_frame(entry: Entry) -> float | None:
    """Seconds per frame and layer; None where that would be a guess.

    A night that rendered only what an earlier one had left is divided by those frames.
    """
    cost = cost_of(entry)
    if cost.unknown or not cost.seconds:
        return None
    frames = entry.get("frames_rendered") or entry.get("frames", 0) * (len(layers_of(entry)) or 1)
    return cost.seconds / frames if frames else None


def compare(shot: str, entry: Entry, nights: Nights) -> Comparison | None:
    """Against the nights that rendered the shot with the same settings; None without any."""
    now = per_frame(entry)
    earlier = [
        (night, value)
        for night, shots in reversed(nights)
        if shot in shots and settings_of(shots[shot]) == settings_of(entry) and (value := per_frame(shots[shot]))
    ]
    return Comparison(now, tuple(earlier)) if now and earlier else None


def nights_in_a_row(shot: str, state: str, nights: Nights) -> int:
    """For how many nights a shot has been in this state, this one included."""
    count = 1
    for _, shots in nights:
        if shot not in shots or shots[shot]["state"] != state:
            break
        count += 1
    return count


def layers_of(entry: Entry) -> list[str]:
    """The names of a shot's layers, which entries of earlier versions have in the order only."""
    return list(entry.get("layers") or (entry.get("order") or {}).get("files") or ())


def settings_of(entry: Entry) -> str:
    """`final` or `economical`; empty where it never came to that."""
    chosen = entry.get("settings") or (entry.get("decision") or {}).get("branch") or ""
    return "" if chosen == "reject" else str(chosen)


def sequence_of(entry: Entry) -> str:
    """Of the shot list, or the part of the shot's name before the first `_`."""
    return str(entry.get("sequence") or entry["shot"].partition("_")[0])


class Row(NamedTuple):
    """A sequence, or a night, in figures."""

    name: str
    counts: Mapping[str, int]
    frames: int
    cost: Cost


def row(name: str, entries: Iterable[Entry]) -> Row:
    """The figures of some shots."""
    entries = list(entries)
    states = [entry["state"] for entry in entries]
    counts = {state: states.count(state) for state in ("delivered", "failed", "rejected", "held", "skipped")}
    frames = sum(entry.get("frames", 0) for entry in entries if entry["state"] == "delivered")
    return Row(name, counts, frames, sum(map(cost_of, entries), Cost()))


def by_sequence(entries: Iterable[Entry]) -> list[Row]:
    """The sequences in which something was done, the dearest first."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(sequence_of(entry), []).append(entry)
    rows = [row(name, group) for name, group in groups.items()]
    return sorted(rows, key=lambda each: (-each.cost.seconds, -each.cost.unknown, each.name))
