"""The shot list: what is to be rendered tonight, in a file that people write by hand.

All mistakes in a list are reported together, each with its line, before anything is sent. From the
DAG folder:

    python -m stages.shot_list shots.yaml       # check a list, as in a pre-commit hook
    python -m stages.shot_list --schema         # the JSON Schema, for editors
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from stages.settings import merged
from stages.shot_models import RESERVED, Defaults, Shot, ShotList, bottom_up, sequence_of
from stages.shot_text import LONGEST, NotYamlError, Problem, ShotText
from stages.storage import join, storage


@dataclass(frozen=True)
class ListedShot:
    """A shot without mistakes. Its files exist, and the defaults are merged into its settings."""

    name: str
    show: str
    files: dict[str, str]
    """The scenes by layer, from the bottom up."""
    frames: list[str] | None
    fps: float | None
    priority: int
    hero: bool
    render: dict[str, Any]
    blends: dict[str, str] = field(default_factory=dict)
    """By layer, for those that are not laid `over` what is below."""
    sequence: str = ""


class ShotListError(ValueError):
    """The list as a whole cannot be used. The message has all problems, also of single shots."""


def load_shot_list(path: str, only: str | None = None) -> tuple[list[ListedShot], list[Problem]]:
    """Read a shot list, in YAML or JSON.

    Args:
        path: of the list: a local path, or any ObjectStoragePath URL.
        only: the name of one shot. Then only its files are checked on disk, and only its
            mistakes are returned; the list as a whole is checked all the same.

    Returns:
        The shots that can be rendered, in order of priority, and what is wrong with the others.

    Raises:
        ShotListError: when the list as a whole is wrong: it is not YAML, it has an unknown key
            outside its shots, or it has no shot `only`.
    """
    from stages.compat import AirflowNotFoundException

    try:
        with storage(path).open("rb") as file:
            text = file.read(LONGEST + 1).decode()  # one byte more shows that it is too long
    except (OSError, ValueError, ImportError, AirflowNotFoundException) as error:  # as in `scene_problem`
        raise ShotListError(f"The shot list {path} cannot be read: {error}") from error
    shots, problems = check_shot_list(text, path.rpartition("/")[0], only)
    if any(problem.shot is None for problem in problems):
        head = f"The shot list {path} cannot be used{f' for {only}' if only else ''}:"
        raise ShotListError("\n".join([head, *map(str, problems)]))
    return shots, problems


def check_shot_list(text: str, folder: str, only: str | None = None) -> tuple[list[ListedShot], list[Problem]]:
    """As `load_shot_list`, for a text. Relative paths start at `folder`. It raises no errors."""
    try:
        source = ShotText(text)
    except NotYamlError as error:
        return [], [Problem(error.line, f"not YAML: {error}")]
    problems = [*source.repeated_keys(), *source.check(), *_layer_problems(source)]
    problems += _missing_files(source, folder, only)
    if only is not None:
        problems = [problem for problem in problems if problem.shot in {only, None}] or [*_not_there(source, only)]
    bad = {problem.shot for problem in problems}
    usable: list[ListedShot] = []
    if None not in bad:
        defaults = source.read(Defaults, source.data.get("defaults", {}))
        for index, raw in enumerate(source.data["shots"]):
            name = source.name(index)
            if name in bad or name != (only or name):
                continue
            listed = _listed(source.read(Shot, raw), source.data, defaults, folder)
            if "colorManagementPreset" in listed.render:
                usable.append(listed)
            else:
                message = (
                    "colorManagementPreset is missing: write default or aces into `render` of the shot or of `defaults`"
                )
                problems.append(Problem(source.line("shots", index, "render"), message, listed.name))
    return sorted(usable, key=lambda shot: -shot.priority), sorted(problems, key=lambda problem: problem.line)


def _listed(shot: Shot, whole: Mapping[str, Any], defaults: Defaults, folder: str) -> ListedShot:
    scenes = shot.scenes(whole.get("layers"))
    return ListedShot(
        name=shot.name,
        show=whole["show"],
        files={layer: _resolve(folder, scene.file) for layer, scene in scenes.items()},
        frames=shot.frames,
        fps=defaults.fps if shot.fps is None else shot.fps,
        priority=shot.priority,
        hero=shot.hero,
        render=merged(defaults.render.to_json(), shot.render.to_json()),
        blends={layer: scene.blend for layer, scene in scenes.items() if scene.blend != "over"},
        sequence=shot.sequence or sequence_of(shot.name),
    )


def _missing_files(source: ShotText, folder: str, only: str | None) -> Iterator[Problem]:
    """Check every file that is named, also in shots with other mistakes."""
    for place, shot, name in source.files():
        if shot != (only or shot):
            continue
        if problem := scene_problem(_resolve(folder, name)):
            yield Problem(source.line(*place), problem, shot)


def scene_problem(file: str) -> str:
    """Why there is no scene to be read in `file`; empty when nothing speaks against it."""
    from stages.compat import AirflowNotFoundException

    try:
        found = storage(file)
        if found.is_file():
            return ""
        return f"{file} is a folder" if found.is_dir() else f"there is no file {file}"
    # Such as a URL with a scheme that nobody knows, without its package, or without its connection.
    except (OSError, ValueError, ImportError, AirflowNotFoundException) as error:
        return f"{file} cannot be accessed: {error}"


def _layer_problems(source: ShotText) -> Iterator[Problem]:
    """What one shot's model cannot see: the show's layers, and names that make one folder."""
    order = source.order
    yield from _folder_problems(source, None, {("layers", index): name for index, name in enumerate(order or ())})
    for index, layers in source.layers():
        shot, place = source.name(index), ("shots", index, "layers")
        if order:
            for layer in layers.keys() - {*order}:
                message = f"unknown layer {layer!r}: the list's own `layers` are {', '.join(order)}"
                yield Problem(source.line(*place, layer), message, shot)
        yield from _folder_problems(source, shot, {(*place, layer): layer for layer in layers})
        bottom = next(iter(bottom_up(layers, order)), "")
        if isinstance(lowest := layers.get(bottom), dict) and "blend" in lowest:
            message = f"layers.{bottom}: the layer at the bottom has no blend, since nothing is below it"
            yield Problem(source.line(*place, bottom, "blend"), message, shot)


def _folder_problems(source: ShotText, shot: str | None, places: Mapping[tuple[Any, ...], str]) -> Iterator[Problem]:
    """Layers that would share a folder, also where `FX` and `fx` are the same."""
    seen: dict[str, str] = {}
    for place, layer in places.items():
        if layer.casefold() == RESERVED:
            message = f"a layer cannot be called {layer!r}: that folder is for the composited frames"
            yield Problem(source.line(*place), message, shot)
        elif layer.casefold() in seen:
            other = seen[layer.casefold()]
            yield Problem(source.line(*place), f"layers {other!r} and {layer!r} would share a folder", shot)
        seen.setdefault(layer.casefold(), layer)


def _not_there(source: ShotText, name: str) -> Iterator[Problem]:
    """The mistake of asking for a shot that the list does not have."""
    names = [source.name(index) for index in range(len(source.shots))]
    if name not in names:
        near = get_close_matches(name, names, n=1)
        yield Problem(source.line("shots"), f"it has no shot {name!r}{f': is it {near[0]}?' if near else ''}")


def _resolve(folder: str, file: str) -> str:
    return file if "://" in file or file.startswith("/") or not folder else join(folder, file)


def schema() -> dict[str, Any]:
    """The JSON Schema of a list."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Shot list"}
    return head | {key: value for key, value in ShotList.model_json_schema().items() if key != "title"}


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns 1 when the list has a mistake."""
    parser = argparse.ArgumentParser(prog="python -m stages.shot_list", description=__doc__.partition("\n")[0])
    parser.add_argument("list", nargs="?", help="the list to check")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema")
    options = parser.parse_args(arguments)
    if options.schema:
        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return 0
    if not options.list:
        parser.error("which list?")
    path = Path(options.list)
    shots, problems = check_shot_list(path.read_text(encoding="utf-8"), str(path.absolute().parent))
    for problem in problems:
        sys.stdout.write(f"{path}: {problem}\n")
    sys.stdout.write(f"{len(shots)} shots can be rendered, {len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
