"""A render configuration, checked here so that a slip costs a message and not a night.

Enumerations are not closed: the documentation shows only the first member of each, so an unknown
word is passed on and Renderjuice decides. Source: the API reference's page on starting a render.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from renderjuice_provider.api._lenient import (
    DEEPEST,
    digits,
    flag,
    frame_texts,
    is_deep,
    is_template,
    number,
    parsed,
    sizes,
    text,
    words,
)
from renderjuice_provider.api.errors import RenderjuiceInputError

__all__ = [
    "CHANGES_NO_PIXEL",
    "CHANGES_PIXELS",
    "OutputSettings",
    "RenderConfig",
    "Text",
    "check_render_config",
]

_LEAST = '{"colorManagementPreset": "default"}'
Text = Annotated[str, Field(min_length=1), BeforeValidator(text)]
Digits = Annotated[str, Field(min_length=1), BeforeValidator(digits)]
Count = Annotated[int, Field(gt=0), BeforeValidator(number)]
Percent = Annotated[int, Field(ge=0, le=100), BeforeValidator(number)]
Positive = Annotated[float, Field(gt=0), BeforeValidator(number)]
Flag = Annotated[bool, BeforeValidator(flag)]


class ConfigModel(BaseModel):
    """Strict but for what `renderjuice_provider.api._lenient` understands.

    How Airflow delivers a number or a list as text.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class OutputSettings(ConfigModel):
    """How images are written; the words are Blender's."""

    color_mode: Text | None = None
    """`BW`, `RGB` or `RGBA`."""
    color_depth: Digits | None = None
    """Sent as a text: `"8"`, `"16"`, `"32"`."""
    exr_codec: Text | None = None
    tiff_codec: Text | None = None
    compression: Percent | None = None
    quality: Percent | None = None


class RenderConfig(ConfigModel):
    """What to render and how. Whatever is left out stays as validation found it in the scene.

    A field that is new here also goes into `CHANGES_PIXELS` or `CHANGES_NO_PIXEL`.
    """

    color_management_preset: Text
    """`default`, or `aces` for an ACES project. There is no default here: the choice changes every
    pixel."""
    frame_ranges: Annotated[list[Text], Field(min_length=1), BeforeValidator(frame_texts)] | None = None
    """Such as `["1-10", "15"]`. The syntax is not documented; single frames and `first-last` are
    the safe forms."""
    notes: Annotated[str, BeforeValidator(words)] | None = None
    render_engine: Text | None = None
    compositor_device: Text | None = None
    compute_device_type: Text | None = None
    gpu_count: Count | None = None
    sample_count: Count | None = None
    denoising_enabled: Flag | None = None
    denoiser_type: Text | None = None
    resolution: Annotated[list[Count], Field(min_length=2, max_length=2), BeforeValidator(sizes)] | None = None
    """`[width, height]` in pixels."""
    resolution_percentage: Annotated[int, Field(ge=1, le=32767), BeforeValidator(number)] | None = None
    output_format: Text | None = None
    fps: Positive | None = None
    use_tiling: Flag | None = None
    tile_size: Count | None = None
    output_settings: Annotated[OutputSettings, BeforeValidator(parsed)] | None = None
    minimum_ram: Positive | None = None

    def to_json(self) -> dict[str, Any]:
        """The body that the API expects.

        Camel case, and only what was set (never a null for "as detected").
        """
        return self.model_dump(by_alias=True, exclude_none=True)


CHANGES_PIXELS = frozenset(
    {
        "colorManagementPreset",
        "frameRanges",
        "renderEngine",
        "compositorDevice",  # CPU and GPU compositors draw some nodes differently
        "computeDeviceType",  # so do render devices: curves, for one
        "sampleCount",
        "denoisingEnabled",
        "denoiserType",
        "resolution",
        "resolutionPercentage",
        "outputFormat",
        "fps",  # what moves by time in seconds moves by it
        "outputSettings",
    }
)
"""The fields that decide on what is in the files. A field that nobody here knows counts as one of
them."""
CHANGES_NO_PIXEL = frozenset(
    {
        "notes",  # read by people
        "gpuCount",  # how many share the work
        "useTiling",  # how memory is saved, and
        "tileSize",  # by how much
        "minimumRam",  # which machine
        *("name", "description", "tags", "priority"),  # unknown to the API as yet; never about pixels
    }
)
"""The fields that may change without making another order of it: a render is neither stopped nor
paid again for them."""


def check_render_config(config: RenderConfig | Mapping[str, Any] | str) -> RenderConfig:
    """`config` as a `RenderConfig`.

    A text is read as JSON, or as Python writes a dict, which is what templates make of one.

    Raises:
        RenderjuiceInputError: naming every field that is wrong, and what it should be.
    """
    if isinstance(config, RenderConfig):
        return _check_values(config)
    fields = parsed(config)
    if not isinstance(fields, Mapping):
        hint = f"; as text, write it as JSON: {_LEAST}" if isinstance(config, str) else ""
        raise RenderjuiceInputError(
            f"render_config must be a dict or a RenderConfig, not {type(config).__name__}{hint}."
        )
    if is_deep(dict(fields)):
        raise RenderjuiceInputError(f"render_config has more than {DEEPEST} levels: Renderjuice's settings have three.")
    if not fields:
        raise RenderjuiceInputError(f"render_config is empty, and Renderjuice refuses that. The least is {_LEAST}.")
    try:
        return _check_values(RenderConfig.model_validate(dict(fields)))
    except ValidationError as error:
        raise RenderjuiceInputError(f"render_config: {'; '.join(map(_sentence, error.errors()))}.") from None


def _check_values(config: RenderConfig) -> RenderConfig:
    """Check what can be sent, and what is rendered.

    Unknown fields pass unchecked, but values that JSON cannot hold cannot be sent.
    """
    content = config.to_json()
    try:
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RenderjuiceInputError(f"render_config cannot be written as JSON: {error}.") from None
    raw = next((name for name, value in _texts(content) if name != "notes" and is_template(value)), None)
    if raw:
        raise RenderjuiceInputError(
            f"render_config: {raw} holds a Jinja template that nobody has rendered. Airflow renders the arguments of "
            "operators, and no text that comes from an XCom or is passed to a client."
        )
    return config


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, name)


def _sentence(detail: Any) -> str:
    field = ".".join(map(str, detail["loc"])) or "config"
    if detail["type"] == "missing":
        return f'{field} is missing (use "default", or "aces" if the project is ACES-managed)'
    hint = ""
    if detail["type"] in {"int_type", "float_type", "bool_type", "list_type"} and isinstance(detail["input"], str):
        hint = " (a Jinja template renders to text, and this one to no such value)"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{field}: {message[:1].lower()}{message[1:]}{hint}"
