"""The models of a shot list: its keys and their values. The JSON Schema is made from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from renderjuice_provider.api.config import RenderConfig, Text
from renderjuice_provider.frames import MOST_FRAMES, expand
from stages.defaults import ONE_LAYER

Blend = Literal["over", "add", "multiply"]
"""How a layer meets what is below it; the formulas are in `stages.composite`."""
TWO_LAYERS = (ONE_LAYER, "over")
"""Lists that know only these two may have them in either order, and `base` is below."""
MOST_LAYERS = 100
"""Layers of a shot, or of a show. Each is a render that is paid, and four tasks of one run: more is
rather a list that a program wrote wrong. Airflow itself maps over 1024 at most."""
RESERVED = "composite"
"""In the work folder, the composited frames are in a folder of this name, beside those of the
layers."""

_RANGE = re.compile(r"\s*(-?\d{1,9})\s*-\s*(-?\d{1,9})\s*")
_DIGITS = re.compile(r"\d+")


def _frames(value: Any) -> Any:
    """`7`, `0007`, `"1-24"`, `"1-10, 15"` or a list of these, as a list of ranges."""
    parts = value if isinstance(value, list) else [value]
    if not parts or any(isinstance(part, bool) or not isinstance(part, (str, int)) for part in parts):
        raise ValueError('write frames as 7, as "1-24", or as a list of these')
    ranges = [text.strip() for part in parts for text in str(part).split(",")]
    for text in ranges:
        if expand(text) is None:
            both = _RANGE.fullmatch(text)
            if both and int(both[1]) > int(both[2]):
                raise ValueError(f"frames {text!r} run backwards: write {both[2]}-{both[1]}")
            if both:
                raise ValueError(f"frames {text!r} are more than {MOST_FRAMES}: make it several shots")
            raise ValueError(f"frames {text!r} are empty, or not a range: write 7, 1-24 or 1-24:2")
    if sum(len(expand(text) or ()) for text in ranges) > MOST_FRAMES:
        raise ValueError(f"these are more than {MOST_FRAMES} frames: make it several shots")
    return [_DIGITS.sub(lambda digits: str(int(digits[0])), text) for text in ranges]


_ONE_RANGE = {"anyOf": [{"type": "integer"}, {"type": "string", "examples": ["1-24", "1-10, 15", "1-24:2"]}]}
Frames = Annotated[
    list[str],
    BeforeValidator(_frames),
    WithJsonSchema({"anyOf": [*_ONE_RANGE["anyOf"], {"type": "array", "items": _ONE_RANGE, "minItems": 1}]}),
]
Fps = Annotated[float, Field(gt=0, le=1000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


def _layer(value: Any) -> Any:
    """A scene alone is a layer with the usual blend."""
    if isinstance(value, str):
        return {"file": value}
    if isinstance(value, (dict, Layer)):
        return value
    raise ValueError("write a layer as its scene, or as {file: scene, blend: over, add or multiply}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class RenderOverrides(RenderConfig):
    """Fields of Renderjuice's render configuration. Names that it does not document are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    color_management_preset: Text | None = None  # type: ignore[assignment] # optional here: `defaults` may say it

    @model_validator(mode="after")
    def _frames_are_said_once(self) -> RenderOverrides:
        if self.frame_ranges is not None:
            raise ValueError("say which frames with the shot's own `frames`")
        return self


class Layer(_Strict):
    """One of the scenes that a shot is composited from. It is rendered as a job of its own."""

    file: Text
    """The scene: a path relative to the list, or any ObjectStoragePath URL."""
    blend: Blend = "over"
    """`over` what is below, with a transparent film; `add` its light, or `multiply` by it."""


Layers = Annotated[
    dict[Name, Annotated[Layer, BeforeValidator(_layer, json_schema_input_type=Text | Layer)]],
    Field(min_length=1, max_length=MOST_LAYERS, json_schema_extra={"additionalProperties": False}),
]


class Shot(_Strict):
    """One shot: a scene, or layers of scenes."""

    name: Name
    """Names a folder of the delivery: letters, digits, `_`, `-` and `.`."""
    sequence: Name | None = None
    """For reports; by default the part of the name before its first `_`."""
    file: Text | None = None
    """The scene (`.blend` or `.zip`): a path relative to the list, or any ObjectStoragePath URL."""
    layers: Layers | None = None
    """In place of `file`, for a shot that is composited: scenes by layer, from the bottom up."""
    frames: Frames | None = None
    """Such as `1-24`; by default what the scene says."""
    fps: Fps | None = None
    """Of the movie; by default what `defaults` say, then the scene."""
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    """Shots with a higher one are started first."""
    hero: bool = False
    """Rendered with final settings, however light it is."""
    render: RenderOverrides = RenderOverrides()
    """Fields of the render configuration, laid over those that the pipeline chooses."""

    @model_validator(mode="after")
    def _file_or_layers(self) -> Shot:
        if (self.file is None) == (self.layers is None):
            raise ValueError("a shot has either `file` or `layers`")
        return self

    def scenes(self, order: Sequence[str] | None) -> dict[str, Layer]:
        """The scenes by layer, from the bottom up, as they are written in the list.

        Args:
            order: of the show's layers; None for that in which they are written.
        """
        if self.layers is None:
            return {ONE_LAYER: Layer(file=str(self.file))}
        return {name: self.layers[name] for name in bottom_up(self.layers, order)}


class Defaults(_Strict):
    """What holds for every shot that does not say otherwise."""

    fps: Fps | None = None
    render: RenderOverrides = RenderOverrides()


class ShotList(_Strict):
    """The whole file."""

    show: Text
    """The name of the show; the production tracker gets it with each delivery."""
    defaults: Defaults = Defaults()
    layers: Annotated[list[Name], Field(min_length=1, max_length=MOST_LAYERS)] | None = None
    """All layers that a shot can have, from the bottom up; by default any, in the order written."""
    shots: Annotated[list[Shot], Field(min_length=1)]


def bottom_up(layers: Iterable[str], order: Sequence[str] | None) -> list[str]:
    """The names of a shot's layers, from the bottom up.

    Args:
        layers: as they are written.
        order: of the show's layers, if it has one.
    """
    written = list(layers)
    order = order or (TWO_LAYERS if set(written) == set(TWO_LAYERS) else written)
    return [name for name in order if name in written]


def sequence_of(name: str) -> str:
    """The sequence of a shot that names none: the part of its name before the first `_`."""
    return name.partition("_")[0]
