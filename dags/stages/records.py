"""JSON files that these DAGs wrote, read back: what they hold is checked before it is used.

A model here names only what is used, and anything else may stand beside it.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from stages.storage import read_json

_MOST_NAMED = 5
"""Fields in a message."""


class RecordError(ValueError):
    """A file that is not as these DAGs write it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Gap(_Record):
    frames: list[int] = []
    node: str | None = None


class _DownloadedFile(_Record):
    place: str
    kind: str
    size: int
    view: str | None = None


class DownloadManifest(_Record):
    """What `RenderjuiceDownloadOperator` writes beside the files."""

    files: list[_DownloadedFile] = []
    requested_frames: list[int] | None = None
    missing: list[_Gap] = []


class DeliveryManifest(_Record):
    """What `stages.delivery` writes beside the files."""

    version: str
    fingerprint: str


class _LostPass(_Record):
    layer: str
    node: str
    frames: list[int]


class Entry(_Record):
    """What became of a shot in a night."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    shot: str
    """Its name in the shot list."""
    state: Literal["delivered", "skipped", "rejected", "failed"]
    """`skipped`: unchanged since its last delivery. `rejected`: for its artist to correct."""
    reason: str | None = None
    """Why it was not delivered."""
    task: str | None = None
    """The task that failed."""
    run_id: str | None = None
    """The run of `renderjuice_shot`. To clear it renders only what is missing."""
    written: str | None = None
    """When its run wrote this, in ISO 8601."""
    show: str | None = None
    """Of the shot list."""
    sequence: str | None = None
    """Of the shot list; by default the part of the shot's name before the first `_`."""
    layers: list[str] = []
    """From the bottom up."""
    frames: int = 0
    """How many were delivered."""
    frames_ordered: int | None = None
    """How many were ordered, over all layers and rounds."""
    frames_rendered: int | None = None
    """How many of its frames came of that, over all layers: one ordered twice counts once."""
    rounds: int | None = None
    """How many jobs its worst layer needed until all was there."""
    settings: str | None = None
    """`final` or `economical`."""
    movie: str | None = None
    """A path or URL, as are `manifest` and `contact_sheet`."""
    manifest: str | None = None
    """Of the delivery."""
    contact_sheet: str | None = None
    """Of the delivery."""
    complete: bool | None = None
    """False when outputs of the compositor are missing; see `missing`."""
    missing: list[_LostPass] = []
    """Outputs of the compositor that are not there. They are no part of a delivery."""
    version: str | None = None
    """Of the delivery: the start of the fingerprint."""
    fingerprint: str | None = None
    """Of all that changes pixels."""
    spent: dict[str, float | None] = {}
    """Normalized seconds by job, failed and killed ones too; null where they are not known."""
    render_seconds: float = 0.0
    """The sum of those that are known."""
    still_rendering: list[str] = []
    """Jobs that run on, and are paid."""
    order: dict[str, Any] | None = None
    """What was to be rendered."""
    decision: dict[str, Any] | None = None
    """With which settings, and why."""
    carried_over: bool | None = None
    """Whether it is an earlier run's entry, which this run left as it was."""


class Summary(_Record):
    """What became of a night, written by `stages.summary`."""

    night: str | None = None
    shots: dict[str, Entry]


def schema() -> dict[str, Any]:
    """The JSON Schema of `summary.json`, made from the models.

    It is kept beside the DAGs: `python -m stages.records > summary.schema.json`.
    """
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Summary of a night"}
    return head | {key: value for key, value in Summary.model_json_schema().items() if key != "title"}


def read_record(path: str, model: type[BaseModel]) -> Any:
    """The JSON in `path`, as it is there; None when there is no file, or only a part of one.

    Raises:
        RecordError: when it is not what `model` says.
    """
    content = read_json(path)
    return None if content is None else check_record(content, model, path)


def check_record(content: Any, model: type[BaseModel], path: str) -> Any:
    """`content` as it is.

    Raises:
        RecordError: when it is not what `model` says. The message names `path`, where it was found.
    """
    try:
        model.model_validate(content)
    except ValidationError as error:
        fields = [".".join(map(str, detail["loc"])) or "all of it" for detail in error.errors()]
        more = ["..."] if len(fields) > _MOST_NAMED else []
        raise RecordError(
            f"{path} is damaged, or was not written by these DAGs. Missing or malformed: "
            f"{', '.join([*fields[:_MOST_NAMED], *more])}. Restore the file, or move it away"
        ) from None
    return content


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
