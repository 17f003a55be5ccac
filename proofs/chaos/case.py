"""What a shot of a scenario goes through, and what has to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["run", "render", "frames"]
Mode = Literal["deferred", "sync"]
OPERATORS: tuple[Operator, ...] = ("run", "render")
"""Those with one render. That of `frames` has rounds, and scenarios of its own."""
MODES: tuple[Mode, ...] = ("deferred", "sync")

Faults = tuple[tuple[str, tuple[str, ...]], ...]
"""Operations, each with the faults that its requests for one shot meet."""
DIRECT = "renderjuice_default"
"""The connection straight to the emulator."""
WEBHOOKED = "renderjuice_webhooks"
"""The same, and Renderjuice sends its events to it. Only this one's waits heed them."""


@dataclass(frozen=True)
class Figures:
    """What has to be true of a shot when all is over, and what came of it."""

    state: str = "success"
    """Of the task."""
    result: bool = True
    """Whether the task returned the summary of a completed render with every frame."""
    renders: int = 1
    """Paid renders started."""
    running: int = 0
    """Jobs that still cost money."""
    canceled: int = 0
    """Renders that were cancelled.

    A job that is stopped before its render was started costs nothing, and is not counted.
    """

    @property
    def bill(self) -> tuple[int, int, int]:
        """What only Renderjuice knows."""
        return self.renders, self.running, self.canceled


ONCE = Figures()
"""One render, completed and returned, and nothing else."""
IN_TWO_ROUNDS = Figures(renders=2)
"""A render that failed half-way, one of what it lacked, and every frame there."""


@dataclass(frozen=True)
class Case:
    """One kind of misfortune, as a shot meets it.

    Attributes:
        group: the row of the table in which it is counted.
        name: unique; without spaces, since scenes and logs are named after it.
        operator: of the DAG that renders the shot.
        mode: deferred, or waiting on its worker.
        variant: of the DAG's arguments, one of `VARIANTS` in `dags/chaos.py`.
        dag: the id of another DAG, which is then used in place of the one that operator, mode and
            variant name.
        shots: how many meet it at once.
        frames: of the scene.
        seconds: that each frame takes to render.
        faults: what the requests of each shot meet. A fault that is not met is a deviation, because
            its point was not proven.
        unsure: whether one fault that was met is enough. A request that succeeded in spite of a
            fault is not repeated, and meets no second one.
        lost_at: the frame at which the first render of the scene loses its worker, so that a second
            round is needed; 0 for none.
        ordered: the configuration with which the job already renders when the task starts; only for
            the operator that is given a job.
        expect: what each shot must come to.
        in_terminal: whether somebody tries it out with `airflow dags test`, instead of leaving it
            to a scheduler.
        connection: of Airflow. The shared poller polls each connection by itself.
        noted: how often the event of the shot's render is noted in the end; only counted where the
            connection receives events.
        relayed: whether that connection leads through a relay, which can have outages.
        patience: seconds until it counts as hung.
    """

    group: str
    name: str
    operator: Operator
    mode: Mode
    variant: str = "plain"
    dag: str = ""
    shots: int = 1
    frames: int = 4
    seconds: float = 3.0
    faults: Faults = ()
    unsure: bool = False
    lost_at: int = 0
    ordered: Mapping[str, Any] | None = None
    expect: Figures = ONCE
    in_terminal: bool = False
    connection: str = DIRECT
    noted: int = 1
    relayed: bool = False
    patience: float = 300.0

    @property
    def dag_id(self) -> str:
        """Of the DAG that does the work."""
        return self.dag or f"chaos_{self.operator}_{self.mode}_{self.variant}"
