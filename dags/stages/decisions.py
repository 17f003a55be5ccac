"""What to do with a shot after validation: reject it, or render it, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderjuice_provider.api.redact import storable
from renderjuice_provider.assets import notes_with_shot
from renderjuice_provider.frames import MOST_FRAMES, ordered_frames
from stages.settings import merged

HEAVY = 1e10
"""Samples in a shot (frames x pixels x samples per pixel) from which it counts as heavy: 50 frames
of Full HD with 100 samples."""
SETTINGS: dict[str, dict[str, Any]] = {
    # The artist's own samples; large pictures in tiles, so that they fit beside a large scene.
    "final": {"useTiling": True, "tileSize": 2048},
    # Good enough to judge motion and light by: few samples, and the denoiser does the rest.
    "economical": {"denoisingEnabled": True},
}
TIMEOUTS = {"final": 12 * 3600, "economical": 3 * 3600}
"""Seconds until the render of a layer, all rounds together, is given up, and cancelled."""
CAPS = {"CYCLES": 64, "EEVEE": 32}
"""Most samples per pixel with economical settings, by engine. Eevee's samples are not comparable
with Cycles'."""
_CYCLES_ONLY = ("denoisingEnabled", "useTiling", "tileSize")
_ONE_LAYER = {"outputFormat": "PNG"}
"""With the look that the artist saw in Blender."""
_LAYERED = {
    "outputFormat": "OPEN_EXR",
    "outputSettings": {"colorMode": "RGBA", "colorDepth": "16", "exrCodec": "ZIP"},
}
"""Scene-linear with alpha: laying one picture over another is only right in linear light."""


def decide(order: Mapping[str, Any], found: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """What to do with a shot.

    Args:
        order: of `stages.orders`.
        found: by layer, what `RenderjuiceValidateJobOperator` returned.

    Returns:
        `branch` (`reject`, `final` or `economical`), `reasons` for a rejection, `why` for the
        settings, and for each layer its `jobs` id and `configs`; `frames` (as ranges) and `fps` of
        the movie.

    The shape of `analysis` is not documented, and a shot is not rejected for what it does not say.
    The names are the emulator's; if yours differ, change `_Report`.
    """
    checks = {layer: found[layer] for layer in layers_of(order)}
    reports = {layer: _Report((check or {}).get("analysis"), order["render"]) for layer, check in checks.items()}
    frames = {layer: order["frames"] or report.frames for layer, report in reports.items()}
    reasons = [f"{layer}: {what}" for layer, report in reports.items() for what in report.problems(frames[layer])]
    reasons += _mismatches(reports, frames, order.get("blends") or {}) + _contradictions(order)
    base = next(iter(checks))
    decision = {
        "shot": order["shot"],
        "branch": "reject",
        "reasons": reasons,
        "jobs": {layer: check["job_id"] for layer, check in checks.items() if check},
        "frames": frames[base],
        "fps": order["render"].get("fps") or order["fps"] or reports[base].fps or 24.0,
    }
    if not reasons:
        decision["branch"], decision["why"] = _settings(order, reports, len(frame_numbers(frames[base])))
        decision["configs"] = {
            layer: render_config(order, decision["branch"], report, frames[base]) for layer, report in reports.items()
        }
    return decision


def layers_of(order: Mapping[str, Any]) -> list[str]:
    """The layers of a shot, from the bottom up; orders of before layers had names have no list."""
    return list(order.get("layers") or order["files"])


def frame_numbers(ranges: Sequence[str]) -> list[int]:
    """`["1-3", "7"]` as numbers, ascending."""
    return sorted(ordered_frames({"frameRanges": list(ranges)}) or ())


def frame_ranges(numbers: Sequence[int]) -> list[str]:
    """Numbers as ranges, without steps, whose syntax Renderjuice does not document."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][-1] = number
        else:
            ranges.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in ranges]


def render_config(order: Mapping[str, Any], settings: str, report: _Report, frames: Sequence[str]) -> dict[str, Any]:
    """The configuration of one layer.

    The output format of the pipeline, then settings for its engine, then the shot's own settings.
    Its notes name the shot: so does the asset event of the completed render.
    """
    chosen = {name: value for name, value in SETTINGS[settings].items() if report.takes(name)}
    cap = CAPS.get(report.family)
    if settings == "economical" and cap and report.samples:
        chosen["sampleCount"] = min(report.samples, cap)
    output = _LAYERED if len(order["files"]) > 1 else _ONE_LAYER
    config = merged(merged(output, chosen), order["render"])
    notes = notes_with_shot(order["shot"], str(config.get("notes") or ""))
    return config | {"frameRanges": frame_ranges(frame_numbers(frames)), "notes": notes}


def _settings(order: Mapping[str, Any], reports: Mapping[str, _Report], frames: int) -> tuple[str, str]:
    if order["quality"] != "auto":
        return order["quality"], "asked for"
    if order["hero"]:
        return "final", "a hero shot"
    samples = sum(report.samples_per_frame for report in reports.values()) * frames
    if samples >= HEAVY:
        return "final", f"heavy: {samples:.1e} samples"
    return "economical", f"light: {samples:.1e} samples"


def _contradictions(order: Mapping[str, Any]) -> list[str]:
    rendered = order["render"].get("fps")
    if rendered and order["fps"] and rendered != order["fps"]:
        return [f"fps: {order['fps']:g} for the movie, but `render` says {rendered:g}: write one of them"]
    return []


def _mismatches(
    reports: Mapping[str, _Report], frames: Mapping[str, Sequence[str]], blends: Mapping[str, str]
) -> list[str]:
    """Why layers cannot be laid on each other. It is better to know before they are paid."""
    (base, first), *others = reports.items()
    reasons = []
    for layer, report in others:
        if first.size and report.size and first.size != report.size:
            reasons.append(
                f"{layer}: {report.size[0]}x{report.size[1]} pixels, {base} has {first.size[0]}x{first.size[1]}"
            )
        if frame_numbers(frames[base]) != frame_numbers(frames[layer]):
            reasons.append(f"{layer}: frames {', '.join(frames[layer])}, {base} has {', '.join(frames[base])}")
        if report.opaque and blends.get(layer, "over") == "over":
            reasons.append(f"{layer}: its film is not transparent, so it would hide {base}")
    return reasons


_SAID_BY_RENDER = {
    "resolution": "resolution",
    "resolutionPercentage": "resolutionPercentage",
    "sampleCount": "samples",
    "fps": "fps",
    "renderEngine": "engine",
}
"""Fields of a render configuration that replace what the scene says, and their names in an
analysis."""


_LARGEST = 1e9
"""Largest number in an analysis that is believed: larger ones cannot be rendered."""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and -_LARGEST < value < _LARGEST else None


class _Report:
    """What will be rendered: a scene's analysis, with the order's settings over it.

    Any part of it may be absent.
    """

    def __init__(self, analysis: Any, render: Mapping[str, Any]) -> None:
        self._found: dict[str, Any] = dict(analysis) if isinstance(analysis, Mapping) else {}
        self._found |= {_SAID_BY_RENDER[name]: value for name, value in render.items() if name in _SAID_BY_RENDER}

    def problems(self, frames: Sequence[str]) -> list[str]:
        """Why this scene cannot be rendered."""
        missing, views = self._list("missingFiles"), self._list("views")
        return [
            text
            for text, wrong in (
                ("no usable camera", self._found.get("cameras") == []),
                (f"missing files: {', '.join(map(str, storable(missing)))}", missing),
                ("zero frames: write `frames` into the shot list, or a range into the scene", not frames),
                (f"renders {len(views)} views, and this pipeline composites one", views),
            )
            if wrong
        ]

    @property
    def frames(self) -> list[str]:
        """The scene's own range."""
        first, last = self._number("frameStart"), self._number("frameEnd")
        if first is None or last is None or last - first >= MOST_FRAMES:
            return []
        return frame_ranges(range(int(first), int(last) + 1, max(1, int(self._number("frameStep") or 1))))

    @property
    def fps(self) -> float | None:
        fps = self._number("fps")
        return fps if fps and fps > 0 else None

    @property
    def family(self) -> str:
        """The engine: Eevee has had three names."""
        engine = self._found.get("engine")
        return "" if not isinstance(engine, str) else "EEVEE" if "EEVEE" in engine else engine

    @property
    def samples(self) -> int:
        return max(0, int(self._number("samples") or 0))

    @property
    def size(self) -> list[int]:
        percentage = self._number("resolutionPercentage") or 100
        sides = [side for side in map(_number, self._list("resolution")) if side]
        return [int(side * percentage // 100) for side in sides] if len(sides) == 2 else []  # as Blender rounds

    @property
    def samples_per_frame(self) -> float:
        size = self.size
        return size[0] * size[1] * self.samples if size else 0.0

    @property
    def opaque(self) -> bool:
        return self._found.get("filmTransparent") is False

    def _number(self, name: str) -> float | None:
        return _number(self._found.get(name))

    def _list(self, name: str) -> list[Any]:
        found = self._found.get(name)
        return list(found) if isinstance(found, (list, tuple)) else []

    def takes(self, field: str) -> bool:
        """Whether a setting means anything to this engine."""
        return self.family in {"CYCLES", ""} or field not in _CYCLES_ONLY
