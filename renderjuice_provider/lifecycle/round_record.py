"""What a task writes down about a round for its next try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.order import picture
from renderjuice_provider.lifecycle.record import JobRecord, Order, fingerprint


class DoneRound(BaseModel):
    """A round that is over, for the account.

    Attributes:
        job_id: its job.
        normalized_seconds: what that is billed; None where Renderjuice does not say.
        frames: how many were ordered; None where the order names none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str
    normalized_seconds: float | None = None
    frames: int | None = None


class RoundRecord(JobRecord):
    """The record of one round: that of its job, and what the round orders.

    It is saved before the course of the round begins. So a retry repeats the same round, and never
    asks the folder what to order while the round's job may be running.

    Attributes:
        ordered: fingerprint of what the task orders, in all rounds: `mark_of`.
        round: from 1. After a user's clear it begins with 1 again.
        render_config: of this round.
        over: whether its job is over; it is in `done` then.
        stuck: whether its job was reported as stuck.
        requested: the frames of the whole order, where only the scene names them.
        done: the rounds that are over, also those before a clear.
    """

    ordered: str
    round: int
    render_config: dict[str, Any]
    over: bool = False
    stuck: bool = False
    requested: list[str] | None = None
    done: tuple[DoneRound, ...] = ()


def pixels_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration decides on pixels, whichever frames it orders."""
    return {name: value for name, value in picture(config).items() if name != "frameRanges"}


def mark_of(order: Order, where: str) -> str:
    """Fingerprint of what a task orders, whichever frames, and of where they go.

    Another one is other work. The scene is compared by itself, since it may be gone by a retry.
    """
    return fingerprint(pixels_of(order.config), storable(where))
