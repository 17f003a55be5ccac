"""What people do to rows; see `renderjuice_provider.wall.models`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from renderjuice_provider.wall._row_models import Action


class WantedAction(BaseModel, frozen=True, extra="forbid"):
    """The body of `POST /renderjuice/wall/plan`.

    Attributes:
        action: what to do.
        rows: the ids of the rows to do it to.
        settings: for `settings`: what to render with.
    """

    action: Action
    rows: list[str] = Field(min_length=1, max_length=1000)
    settings: dict[str, Any] | None = None


class Act(WantedAction):
    """The body of `POST /renderjuice/wall/act`.

    Attributes:
        confirm: what the plan answered: it stands for what the plan said would happen.
    """

    confirm: str = Field(max_length=200)


class PlannedRow(BaseModel, frozen=True):
    """What an action will do to one row.

    Attributes:
        id: of the row.
        will: in one line.
        refused: why nothing will happen; None when something will.
    """

    id: str
    will: str = ""
    refused: str | None = None


class Plan(BaseModel, frozen=True):
    """What an action will do.

    Attributes:
        question: one sentence, to be answered with yes or no.
        money: one sentence about what it costs or saves.
        rows: each of them.
        confirm: to be sent with the action.
    """

    question: str
    money: str
    rows: list[PlannedRow]
    confirm: str


class Unsuccessful(BaseModel, frozen=True):
    """A row to which an action could not be done, and why."""

    id: str
    why: str


class Done(BaseModel, frozen=True):
    """What an action has done: the ids of rows, and those to which it could not be done."""

    done: list[str]
    failed: list[Unsuccessful] = []
