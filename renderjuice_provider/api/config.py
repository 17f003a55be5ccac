"""A render configuration, checked here so that a slip costs a message and not a night.

Enumerations are not closed: the documentation shows only the first member of each, so an unknown word is passed on and Renderjuice
decides. Source: the API reference's page on starting a render.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from renderjuice_provider.api.errors import RenderjuiceInputError

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(gt=0)]
Percent = Annotated[int, Field(ge=0, le=100)]


class _Config(BaseModel):
    """Strict, because a text where a number belongs is most often a Jinja template that was rendered to text."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class OutputSettings(_Config):
    """How images are written; the words are Blender's."""

    color_mode: Text | None = None
    """`BW`, `RGB` or `RGBA`."""
    color_depth: Text | None = None
    """A text, not a number: `"8"`, `"16"`, `"32"`."""
    exr_codec: Text | None = None
    tiff_codec: Text | None = None
    compression: Percent | None = None
    quality: Percent | None = None


class RenderConfig(_Config):
    """What to render and how. Whatever is left out stays as validation found it in the scene."""

    color_management_preset: Text
    """`default`, or `aces` for an ACES project. There is no default here: the choice changes every pixel."""
    frame_ranges: list[Text] | None = Field(default=None, min_length=1)
    """Such as `["1-10", "15"]`. The syntax is not documented; single frames and `first-last` are the safe forms."""
    notes: str | None = None
    render_engine: Text | None = None
    compositor_device: Text | None = None
    compute_device_type: Text | None = None
    gpu_count: Count | None = None
    sample_count: Count | None = None
    denoising_enabled: bool | None = None
    denoiser_type: Text | None = None
    resolution: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    """`[width, height]` in pixels."""
    resolution_percentage: Annotated[int, Field(ge=1, le=32767)] | None = None
    output_format: Text | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    use_tiling: bool | None = None
    tile_size: Count | None = None
    output_settings: OutputSettings | None = None
    minimum_ram: Annotated[float, Field(gt=0)] | None = None

    def to_json(self) -> dict[str, Any]:
        """The body that the API expects: camel case, and only what was set (never a null for "as detected")."""
        return self.model_dump(by_alias=True, exclude_none=True)


def check_render_config(config: RenderConfig | Mapping[str, Any]) -> RenderConfig:
    """`config` as a `RenderConfig`.

    Raises:
        RenderjuiceInputError: naming every field that is wrong, and what it should be.
    """
    if isinstance(config, RenderConfig):
        return _check_json(config)
    if not isinstance(config, Mapping):
        raise RenderjuiceInputError(f"render_config must be a dict or a RenderConfig, not {type(config).__name__}.")
    if not config:
        raise RenderjuiceInputError(
            'render_config is empty, and Renderjuice refuses that. The least is {"colorManagementPreset": "default"}.'
        )
    try:
        return _check_json(RenderConfig.model_validate(dict(config)))
    except ValidationError as error:
        raise RenderjuiceInputError(f"render_config: {'; '.join(map(_sentence, error.errors()))}.") from None


def _check_json(config: RenderConfig) -> RenderConfig:
    """Fields that we do not know pass unchecked, but what JSON cannot say cannot be sent."""
    try:
        json.dumps(config.to_json(), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RenderjuiceInputError(f"render_config cannot be written as JSON: {error}.") from None
    return config


def _sentence(detail: Any) -> str:
    field = ".".join(map(str, detail["loc"])) or "config"
    if detail["type"] == "missing":
        return f'{field} is missing (use "default", or "aces" if the project is ACES-managed)'
    hint = ""
    if detail["type"] in {"int_type", "float_type", "bool_type", "list_type"} and isinstance(detail["input"], str):
        hint = " (a Jinja template renders to text: pass an XComArg, or render_template_as_native_obj=True on the DAG)"
    return f"{field}: {detail['msg'][:1].lower()}{detail['msg'][1:]}{hint}"
