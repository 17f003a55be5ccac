"""An order, seen as what decides on pixels.

Whether two are the same, and whether a job carries out the one that was given.

Which fields decide is listed in `renderjuice_provider.api.config`. How a value is written does not
matter: `["1-3", "4"]` orders the frames of `["1-4"]`, 1.0 samples are 1, and a field that is null
is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from renderjuice_provider.api._lenient import is_deep, parsed
from renderjuice_provider.api.config import CHANGES_NO_PIXEL, RenderConfig
from renderjuice_provider.frames import ordered_frames

_PRESET = "colorManagementPreset"


@dataclass(frozen=True)
class Comparison:
    """What a job has of an order, as far as the API reports it.

    Attributes:
        differences: fields in which the job is another one, with both values.
        unknown: fields of the order that the API does not report.
        added: what the job was ordered with beside the order: it may be a default that the API
            fills in.
    """

    differences: tuple[str, ...]
    unknown: tuple[str, ...]
    added: tuple[str, ...]


def picture(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration decides on pixels: one flat form for all ways of writing the same."""
    found = {
        name: value
        for key, setting in config.items()
        if key not in CHANGES_NO_PIXEL and not is_deep(setting)
        for name, value in _flat(key, setting)
    }
    frames = ordered_frames(config)
    if frames is not None:
        found["frameRanges"] = ", ".join(frame_ranges(frames))
    return found


def compare(order: Mapping[str, Any], requested: Any) -> Comparison:
    """Hold an order against a job's `requestedConfig`, whose form is not documented.

    What cannot be read counts as unknown.
    """
    wanted, reported = picture(order), picture(_as_written_here(requested))
    differences, unknown = [], []
    for name, value in wanted.items():
        if name not in reported or not _comparable(value, reported[name]):
            unknown.append(name)
        elif not _same(value, reported[name]):
            differences.append(f"{name}: ordered {_shown(value)}, the job has {_shown(reported[name])}")
    added = (f"{name}: {_shown(value)}" for name, value in reported.items() if name not in wanted)
    return Comparison(tuple(differences), tuple(unknown), tuple(added))


def renders(order: Mapping[str, Any], requested: Any, final: Any) -> bool:
    """Whether a render that was ordered as `requested` is what `order` asks for, too.

    It is when `order` merely writes out what was detected in the scene: of that, the job's
    `finalConfig` reports.
    """
    wanted, reported = picture(order), picture(_as_written_here(requested))
    used = picture(_as_written_here(final)) | reported
    same = all(
        name in used and _comparable(value, used[name]) and _same(value, used[name]) for name, value in wanted.items()
    )
    return bool(reported) and reported.keys() <= wanted.keys() and same


def frame_ranges(frames: Iterable[int]) -> list[str]:
    """Frames as a render configuration orders them: `["5", "9-11"]`."""
    runs = [
        [frame for _, frame in run] for _, run in groupby(enumerate(sorted(frames)), lambda pair: pair[1] - pair[0])
    ]
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


def _flat(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _flat(f"{name}.{key}", item)]
    return [] if value is None else [(name, _plain(value))]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_written_here(config: Any) -> dict[str, Any]:
    """A configuration of the API's, each field as `RenderConfig` reads it.

    One that it cannot read stays as it is.
    """
    config = parsed(config)
    fields: dict[str, Any] = {}
    for key, value in config.items() if isinstance(config, Mapping) else ():
        name = to_camel(str(key)) if "_" in str(key) else str(key)
        try:
            read = RenderConfig.model_validate({_PRESET: "unread", name: value}).to_json()
        except ValidationError:
            read = {}
        fields[name] = read.get(name, value)
    return fields


def _comparable(one: Any, other: Any) -> bool:
    return type(one) is type(other) or (isinstance(one, (int, float)) and isinstance(other, (int, float)))


def _same(one: Any, other: Any) -> bool:
    return one.casefold() == other.casefold() if isinstance(one, str) else bool(one == other)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
