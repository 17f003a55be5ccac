"""Which scenes are meant, and how they are to be rendered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api.config import check_render_config
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.scene_file import is_litter

_SUFFIXES = (".blend", ".zip")
STDIN = "-"


@dataclass(frozen=True)
class Scene:
    """One scene that is to be submitted.

    Attributes:
        path: of the `.blend` or `.zip`; None where it is a job already.
        job_id: of a validated job, in place of a scene.
        config: what of the configuration is its own.
    """

    path: Path | None
    job_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, config: Mapping[str, Any] | None = None) -> Self:
        """A path, or the id of a job."""
        path = Path(text)
        if not path.exists():
            with suppress(RenderjuiceInputError):
                return cls(None, check_job_id(text), config or {})
        return cls(path, None, config or {})

    @property
    def name(self) -> str:
        """What its outputs are called."""
        return self.path.stem if self.path else str(self.job_id)


def find_scenes(arguments: Iterable[str], stdin: Iterable[str]) -> list[Scene]:
    """The scenes that are named, each once.

    Args:
        arguments: paths of scenes and of folders, and ids of validated jobs; `-` stands for what is
            piped in. Of a folder, its own `.blend` and `.zip` files are meant: in the folders below
            lies what they link.
        stdin: a path or a job a line, or JSON, where each may have a configuration of its own:
            `{"scene": "sh010.blend", "config": {"frameRanges": ["1-9"]}}`.

    Raises:
        RenderjuiceInputError: for a folder without a scene, or a line that cannot be read.
    """
    found: dict[Any, Scene] = {}
    for scene in (scene for argument in arguments for scene in _of_argument(argument, stdin)):
        found.setdefault(scene.path.resolve() if scene.path else scene.job_id, scene)
    if not found:
        raise RenderjuiceInputError("No scene was named.")
    return list(found.values())


def _of_argument(argument: str, stdin: Iterable[str]) -> Iterator[Scene]:
    if argument == STDIN:
        yield from map(_of_line, stdin)
        return
    path = Path(argument)
    if not path.is_dir():
        yield Scene.of(argument)
        return
    inside = [
        each
        for each in sorted(path.iterdir())
        if each.is_file() and each.suffix.lower() in _SUFFIXES and not is_litter(each.name)
    ]
    if not inside:
        raise RenderjuiceInputError(f"There is no .blend and no .zip in the folder {redact(str(path))} itself.")
    yield from map(Scene, inside)


def _of_line(line: str) -> Scene:
    if not line.startswith("{"):
        return Scene.of(line.split("\t", maxsplit=1)[0])
    try:
        fields = json.loads(line)
        return Scene.of(fields["scene"], dict(fields.get("config") or {}))
    except (ValueError, KeyError, TypeError):
        raise RenderjuiceInputError(
            f'A line is a path, or JSON like {{"scene": "sh010.blend", "config": {{}}}}: {redact(line)!r} is neither.'
        ) from None


def check_names(scenes: Sequence[Scene]) -> None:
    """Refuse scenes whose outputs would go into the same folder.

    Raises:
        RenderjuiceInputError: naming two of them.
    """
    twice = next((name for name, count in Counter(scene.name for scene in scenes).items() if count > 1), None)
    if twice is not None:
        paths = ", ".join(redact(str(scene.path)) for scene in scenes if scene.name == twice)
        raise RenderjuiceInputError(f"The frames of these would go into one folder: {paths}. Submit them one by one.")


@dataclass(frozen=True)
class Settings:
    """The options of a render configuration; None where an option was not given."""

    preset: str | None = None
    frames: str | None = None
    samples: int | None = None
    resolution: str | None = None
    percentage: int | None = None
    config: str | None = None
    others: Sequence[str] = ()

    def config_for(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration of a scene, checked. What is its own comes before the options.

        Raises:
            RenderjuiceInputError: naming what is wrong.
        """
        options = {
            "colorManagementPreset": self.preset,
            "frameRanges": None if self.frames is None else [self.frames],
            "sampleCount": self.samples,
            "resolution": None if self.resolution is None else self.resolution.lower().replace("x", " ").split(),
            "resolutionPercentage": self.percentage,
        }
        given = {name: value for name, value in options.items() if value is not None}
        others = dict(map(_field, self.others))
        config = {**_read(self.config), **given, **others, **own}
        if not config.keys() & {"colorManagementPreset", "color_management_preset"}:
            raise RenderjuiceInputError(
                "Colour management changes every pixel, so it has no default: add --preset default, or --preset aces for "
                "an ACES project."
            )
        return check_render_config(config).to_json()


def _field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RenderjuiceInputError(f"--set takes NAME=VALUE, such as fps=25; got {redact(text)!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _read(config: str | None) -> dict[str, Any]:
    """A configuration from a file, or JSON as it is."""
    if config is None:
        return {}
    is_json = config.lstrip().startswith("{")
    try:
        fields = json.loads(config if is_json else Path(config).read_text(encoding="utf-8"))
    except OSError as error:
        raise RenderjuiceInputError(f"--config {redact(config)} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise RenderjuiceInputError(f"--config is no JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise RenderjuiceInputError("--config holds no JSON object.")
    return fields
