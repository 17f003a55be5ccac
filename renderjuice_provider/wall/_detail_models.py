"""One row with all that is known of it; see `renderjuice_provider.wall.models`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from renderjuice_provider.wall._row_models import Row, RowState

FrameState = Literal["done", "missing", "failed", "waiting"]


class Frame(BaseModel, frozen=True):
    """A frame of a row's contact sheet.

    Attributes:
        name: such as `0001`.
        picture: its key.
        state: of it.
    """

    name: str
    picture: str | None = None
    state: FrameState = "waiting"


class Past(BaseModel, frozen=True):
    """The same shot in another night.

    Attributes:
        night: its date.
        run_id: of that run.
        state: what became of it.
        frames: how many were rendered.
        normalized_seconds: what that was billed.
        seconds_per_frame: normalized seconds by frames.
        elapsed: seconds from its start to its end.
        link: to that run, relative to `document.baseURI`.
    """

    night: str
    run_id: str
    state: RowState
    frames: int | None = None
    normalized_seconds: float | None = None
    seconds_per_frame: float | None = None
    elapsed: float | None = None
    link: str


class Change(BaseModel, frozen=True):
    """A field of the configuration that is not as it was."""

    field: str
    before: Any = None
    now: Any = None


class Configs(BaseModel, frozen=True):
    """The configuration of a row against that of the same shot before it."""

    now: dict[str, Any] = {}
    before: dict[str, Any] | None = None
    changes: list[Change] = []


class Detail(BaseModel, frozen=True):
    """`GET /renderjuice/wall/rows/{id}`."""

    row: Row
    frames: list[Frame] = []
    history: list[Past] = []
    config: Configs = Configs()
