"""The record of a night, `summary.json`: its models, and their JSON Schema.

By itself, since the tasks of a shot do not need it, and it takes a while to import.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _LostPass(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    layer: str
    node: str
    frames: list[int]


class _Quote(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    likely: float
    least: float
    most: float
    source: str


class _Job(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    layer: str
    frames: int
    again: int


class Entry(BaseModel):
    """What became of a shot in a night."""

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    shot: str
    """Its name in the shot list."""
    state: Literal["delivered", "skipped", "rejected", "held", "failed"]
    """`skipped`: unchanged since its last delivery. `rejected`: for its artist to correct. `held`:
    not rendered this night, since the ceiling had no share for it, or nobody approved it."""
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
    by_layer: dict[str, dict[str, float | None]] = {}
    """The same by layer and job, of the last run."""
    jobs: dict[str, _Job] = {}
    """Of all runs of the night: the layer of each job, how many frames it was ordered, and how many
    of these had been ordered before."""
    quote: _Quote | None = None
    """What the render was expected to cost, before it was paid. A probe is no part of it."""
    share: float | None = None
    """What of the night's ceiling the render was allowed to spend, in normalized seconds."""
    ceiling: float | None = None
    """Of the night, in normalized seconds."""
    remarks: dict[str, str] = {}
    """What is odd about delivered frames, by layer and file."""
    again: list[str] = []
    """Frames that were rendered once more since they looked wrong, by layer and file."""
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


class Summary(BaseModel):
    """What became of a night, written by `stages.summary`."""

    model_config = ConfigDict(extra="allow", strict=True)

    night: str | None = None
    shots: dict[str, Entry]


def schema() -> dict[str, Any]:
    """The JSON Schema of `summary.json`, made from the models.

    It is kept beside the DAGs: `python -m stages.summary_record > summary.schema.json`.
    """
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Summary of a night"}
    return head | {key: value for key, value in Summary.model_json_schema().items() if key != "title"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
