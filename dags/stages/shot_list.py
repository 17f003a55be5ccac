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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shot_models import Defaults, Shot, ShotList
from stages.shot_text import LONGEST, NotYamlError, Problem, ShotText
from stages.storage import join, storage


@dataclass(frozen=True)
class ListedShot:
    """A shot without mistakes. Its files exist, and the defaults are merged into its settings."""

    name: str
    show: str
    files: dict[str, str]
    frames: list[str] | None
    fps: float | None
    priority: int
    hero: bool
    render: dict[str, Any]


class ShotListError(ValueError):
    """The list as a whole cannot be used. The message has all problems, also of single shots."""


def load_shot_list(path: str) -> tuple[list[ListedShot], list[Problem]]:
    """Read a shot list, in YAML or JSON.

    Returns:
        The shots that can be rendered, in order of priority, and what is wrong with the others.

    Raises:
        ShotListError: when the list as a whole is wrong: it is not YAML, or it has an unknown key
            outside its shots.
    """
    try:
        with storage(path).open("rb") as file:
            text = file.read(LONGEST + 1).decode()  # one byte more shows that it is too long
    except (OSError, UnicodeDecodeError) as error:
        raise ShotListError(f"The shot list {path} cannot be read: {error}") from error
    shots, problems = check_shot_list(text, path.rpartition("/")[0])
    if any(problem.shot is None for problem in problems):
        raise ShotListError("\n".join([f"The shot list {path} cannot be used:", *map(str, problems)]))
    return shots, problems


def check_shot_list(text: str, folder: str) -> tuple[list[ListedShot], list[Problem]]:
    """As `load_shot_list`, for a text. Relative paths start at `folder`. It raises no errors."""
    try:
        source = ShotText(text)
    except NotYamlError as error:
        return [], [Problem(error.line, f"not YAML: {error}")]
    problems = [*source.repeated_keys(), *source.check(), *_missing_files(source, folder)]
    bad = {problem.shot for problem in problems}
    usable: list[ListedShot] = []
    if None not in bad:
        defaults = source.read(Defaults, source.data.get("defaults", {}))
        for index, raw in enumerate(source.data["shots"]):
            if source.name(index) in bad:
                continue
            listed = _listed(source.read(Shot, raw), source.data["show"], defaults, folder)
            if "colorManagementPreset" in listed.render:
                usable.append(listed)
            else:
                message = (
                    "colorManagementPreset is missing: write default or aces into `render` of the shot or of `defaults`"
                )
                problems.append(Problem(source.line("shots", index, "render"), message, listed.name))
    return sorted(usable, key=lambda shot: -shot.priority), sorted(problems, key=lambda problem: problem.line)


def _listed(shot: Shot, show: str, defaults: Defaults, folder: str) -> ListedShot:
    files = {layer: _resolve(folder, file) for layer, file in shot.files.items()}
    render = merged(defaults.render.to_json(), shot.render.to_json())
    fps = defaults.fps if shot.fps is None else shot.fps
    return ListedShot(shot.name, show, files, shot.frames, fps, shot.priority, shot.hero, render)


def _missing_files(source: ShotText, folder: str) -> Iterator[Problem]:
    """Check every file that is named, also in shots with other mistakes."""
    for place, shot, name in source.files():
        file = _resolve(folder, name)
        try:
            if not storage(file).is_file():
                yield Problem(source.line(*place), f"there is no file {file}", shot)
        except (OSError, ValueError, ImportError) as error:  # such as a URL scheme without its package
            yield Problem(source.line(*place), f"{file} cannot be accessed: {error}", shot)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`under` with the settings in `over`, also inside nested ones such as `outputSettings`."""
    both = {
        name: merged(under[name], value)
        if isinstance(value, Mapping) and isinstance(under.get(name), Mapping)
        else value
        for name, value in over.items()
    }
    return {**under, **both}


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
