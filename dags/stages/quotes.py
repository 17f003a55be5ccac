"""What a layer will probably cost, before it is paid: by its last nights, or by three frames of it.

All amounts are normalized seconds, as Renderjuice bills them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

OF_NIGHTS = 0.15
"""How much a layer may cost beyond what it has cost in earlier nights, and below it: farms are
differently fast, and scenes are edited."""
OF_A_PROBE = 0.5
"""The same for a layer that was probed: three frames say little about all others."""


class Quote(BaseModel):
    """Normalized seconds that a layer, or a shot, will cost."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    likely: float
    least: float
    most: float
    source: Literal["history", "probe"]
    nights: int = 0
    """How many earlier nights it is made from."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not 0 <= self.least <= self.likely <= self.most:
            raise ValueError(f"{self.least} to {self.most} around {self.likely} is no range")
        return self


def by_history(per_frame: Sequence[float], frames: int) -> Quote | None:
    """From what a frame of the layer has cost in earlier nights; None without any.

    Args:
        per_frame: normalized seconds per frame, of each night with the same settings.
        frames: that are to be rendered.
    """
    if not per_frame:
        return None
    return Quote(
        likely=median(per_frame) * frames,
        least=min(per_frame) * frames * (1 - OF_NIGHTS),
        most=max(per_frame) * frames * (1 + OF_NIGHTS),
        source="history",
        nights=len(per_frame),
    )


def by_probe(seconds: float, probed: int, frames: int) -> Quote:
    """From what some frames of the layer have cost.

    Args:
        seconds: that the probe was billed.
        probed: how many frames it had.
        frames: that are still to be rendered.
    """
    likely = seconds / probed * frames
    return Quote(
        likely=likely,
        least=likely * (1 - OF_A_PROBE),
        most=likely * (1 + OF_A_PROBE),
        source="probe",
    )


def probe_frames(numbers: Sequence[int]) -> list[int]:
    """The first, the middle and the last of a layer's frames."""
    ordered = sorted(set(numbers))
    return sorted({ordered[0], ordered[len(ordered) // 2], ordered[-1]}) if ordered else []


def whole(quotes: Mapping[str, Quote]) -> Quote | None:
    """The quote of a shot, from those of its layers; None without any."""
    if not quotes:
        return None
    each = list(quotes.values())
    return Quote(
        likely=sum(quote.likely for quote in each),
        least=sum(quote.least for quote in each),
        most=sum(quote.most for quote in each),
        source="probe" if any(quote.source == "probe" for quote in each) else "history",
        nights=min(quote.nights for quote in each),
    )
