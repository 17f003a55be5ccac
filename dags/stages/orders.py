"""What is to be done for one shot: its scenes, its settings, and the version that they make.

A shot is one of the list, or just a file. The order says all that the tasks of a shot need.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from renderjuice_provider.api.config import CHANGES_NO_PIXEL
from stages.colour_spaces import COLOUR_CONFIG
from stages.composite import VIEWS
from stages.decisions import CAPS, SETTINGS, frame_numbers, frame_ranges
from stages.defaults import ONE_LAYER, QUALITIES
from stages.settings import merged
from stages.shot_list import ListedShot, load_shot_list, scene_problem
from stages.shot_models import Frames, RenderOverrides, sequence_of
from stages.storage import join, sha256

PIPELINE = 1
"""Raise it when a change of these stages should deliver every shot again."""
_SHORT = 16
"""Hex digits of a fingerprint in names of folders: 64 bits do not collide within one shot."""
_ONCE_KNOWN = (["base"], ["base", "over"])
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


def night_of(moment: datetime, timezone: str) -> str:
    """The date of the night that `moment` belongs to. A night ends at noon of the next day."""
    return str((moment.astimezone(ZoneInfo(timezone)) - timedelta(hours=12)).date())


def date_of(text: str) -> str:
    """A date as in names of folders, such as 2026-11-23. Python also accepts `20261123`.

    Raises:
        ValueError: for any other text.
    """
    try:
        return str(datetime.strptime(text.strip(), "%Y-%m-%d").date())  # noqa: DTZ007 - a date has no time zone
    except ValueError:
        raise ValueError(f"{text!r} is not a date: write it as 2026-11-23") from None


def quality_of(text: str) -> str:
    """One of `QUALITIES`.

    Raises:
        ValueError: for any other text.
    """
    if text not in QUALITIES:
        raise ValueError(f"There is no quality {text!r}: write {', '.join(QUALITIES[:-1])} or {QUALITIES[-1]}")
    return text


def order_by_hand(params: Mapping[str, Any], night: str, run_id: str = "") -> dict[str, Any]:
    """The order of a run for one shot; see `make_order`.

    Args:
        params: of the run: `shot` (a name of the list) or `file` (then the shot is named after it),
            `frames` (else those of the list, or of the scene), `render` (fields of the render
            configuration, over those of the list), `again`, `shot_list`, `quality`, `destination`,
            `work`.
        night: its date, such as `2026-11-23`.
        run_id: of the run: with `again`, its frames are in a folder of their own.

    Raises:
        ValueError: when it does not say which shot, the list does not have it, or not without
            mistakes, there is no such file, or what else was filled in cannot be right.
    """
    name, file = _text(params.get("shot")), _text(params.get("file"))
    if bool(name) == bool(file):
        said = f"both are filled in ({name}, {file})" if name else "both are empty"
        raise ValueError(f"Which shot? Fill in `shot`, a name of the shot list, or `file`, a scene; {said}")
    frames = _frames(params["frames"]) if params.get("frames") else None
    shot = _listed(params["shot_list"], name) if name else _of_file(file)
    shot = replace(shot, render=merged(shot.render, _overrides(params.get("render"))))
    content = content_of(shot, hashes_of({*shot.files.values()}))
    again = mark_of(run_id) if params.get("again") else ""
    return make_order(shot, content, params, night, frames=frames, again=again)


def make_order(
    shot: ListedShot,
    content: Mapping[str, str],
    params: Mapping[str, Any],
    night: str,
    *,
    frames: list[str] | None = None,
    again: str = "",
) -> dict[str, Any]:
    """All that the tasks of a shot need. It goes through XCom, so it is small, and JSON.

    Args:
        shot: what the list says.
        content: the SHA-256 of each layer's scene.
        params: `quality`, `destination`, `work`.
        night: its date.
        frames: in place of the shot's own.
        again: a mark, for a render of what is there already: it is a delivery of its own, of the
            same version.

    Raises:
        ValueError: for a quality or a date that cannot be one.
    """
    frames, quality = frames or shot.frames, quality_of(params["quality"])
    mark = fingerprint(shot, content, quality, frames=frames)
    return (
        {
            "shot": shot.name,
            "show": shot.show,
            "sequence": shot.sequence or sequence_of(shot.name),
            "night": date_of(night),
            "fingerprint": mark,
            "layers": list(shot.files),  # PostgreSQL sorts the keys of what Airflow keeps there as JSON
            "blends": shot.blends,
            "files": shot.files,
            "content": dict(content),
            "frames": frames,
            "fps": shot.fps,
            "hero": shot.hero,
            "priority": shot.priority,
            "quality": quality,
            "render": shot.render,
            "delivery": join(params["destination"], "shots", shot.name),
            "work": join(params["work"], shot.name, f"{mark[:_SHORT]}-{again}" if again else mark[:_SHORT]),
            "claims": join(params["work"], shot.name, "claims"),
            "entry": join(params["destination"], "nights", date_of(night), "shots", f"{shot.name}.json"),
        }
        | ({"again": again} if again else {})
    )


def fingerprint(shot: ListedShot, content: Mapping[str, str], quality: str, *, frames: list[str] | None = None) -> str:
    """SHA-256 of all that changes pixels: the scenes' bytes, shot and pipeline settings.

    Paths, priorities, dates, notes and the way in which frames are written are not part of it:
    changing them renders nothing again.
    """
    frames = frames or shot.frames
    decisive = {
        "pipeline": PIPELINE,
        "content": dict(content),
        "frames": frames and frame_ranges(frame_numbers(frames)),
        "fps": shot.fps,
        "hero": shot.hero,
        "quality": quality,
        "render": {name: value for name, value in shot.render.items() if name not in CHANGES_NO_PIXEL},
        "settings": [SETTINGS, CAPS],
        "colour": [COLOUR_CONFIG, VIEWS],
    }
    if list(content) not in _ONCE_KNOWN:  # their fingerprints are those of deliveries that are there
        decisive["layers"] = list(content)
    if shot.blends:
        decisive["blends"] = shot.blends
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def run_id_of(order: Mapping[str, Any], mark: str = "") -> str:
    """The id of the shot's run, by which it is found when the same is started again.

    Args:
        order: of the shot.
        mark: distinguishes a further run of the same version in the same night from the first.
    """
    shot = order["shot"].replace("..", ".~")  # Airflow takes no id with two dots
    parts = [shot, order["fingerprint"][:8], order["night"], *([mark] if mark else [])]
    return "__".join(parts)


def mark_of(run_id: str) -> str:
    """A mark for the runs that the nightly's run `run_id` starts again. It is always the same."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:8]


def hashes_of(files: set[str]) -> dict[str, str | ValueError]:
    """The SHA-256 of each scene; or, of one that cannot be read, the error that says so."""
    names = sorted(files)
    with ThreadPoolExecutor(max_workers=4) as pool:  # hashing and reading both release Python's lock
        return dict(zip(names, pool.map(_hash_or_error, names), strict=True))


def content_of(shot: ListedShot, hashes: Mapping[str, str | ValueError]) -> dict[str, str]:
    """The SHA-256 of each layer's scene, out of `hashes_of`.

    Raises:
        ValueError: when one of them cannot be read.
    """
    found = {layer: hashes[file] for layer, file in shot.files.items()}
    for error in found.values():
        if isinstance(error, ValueError):
            raise error
    return {layer: str(sha) for layer, sha in found.items()}


def _hash_or_error(file: str) -> str | ValueError:
    try:
        return sha256(file)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        return ValueError(f"{file} cannot be read: {error.strerror or error}")


def _text(value: Any) -> str:
    return str(value or "").strip()


def _frames(value: Any) -> list[str]:
    try:
        return TypeAdapter(Frames).validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _overrides(value: Any) -> dict[str, Any]:
    try:
        return RenderOverrides.model_validate(value or {}).to_json()
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(["render", *map(str, found["loc"])])
        raise ValueError(f"{where}: {found['msg'].removeprefix('Value error, ')}") from None


def _listed(shot_list: str, name: str) -> ListedShot:
    shots, problems = load_shot_list(shot_list, only=name)
    if own := [f"line {problem.line}: {problem.message}" for problem in problems if problem.shot == name]:
        raise ValueError(f"{name} cannot be rendered: {'; '.join(own)}")
    for shot in shots:
        if shot.name == name:
            return shot
    raise ValueError(f"The shot list {shot_list} has no {name}")


def _of_file(file: str) -> ListedShot:
    """A shot that is in no list, as its scene has it."""
    if problem := scene_problem(file):
        raise ValueError(problem if problem.startswith(file) else problem[0].upper() + problem[1:])
    name = _NOT_IN_NAMES.sub("_", file.rpartition("/")[2].rpartition(".")[0]).lstrip("_.-")[:100]
    if not name:
        raise ValueError(f"No shot can be named after {file}: rename it, or put it into the shot list")
    render = {"colorManagementPreset": "default"}
    return ListedShot(
        name=name, show="", files={ONE_LAYER: file}, frames=None, fps=None, priority=50, hero=False, render=render
    )
