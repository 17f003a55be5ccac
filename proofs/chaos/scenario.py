"""What a scenario is. They themselves are in `kill_points`, `decisions`, `accidents`, `trials`, `machines` and `weather`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from proofs.chaos.shots import Shot
    from proofs.chaos.stage import Stage

Operator = Literal["run", "render"]
Mode = Literal["deferred", "sync"]
OPERATORS: tuple[Operator, ...] = ("run", "render")
MODES: tuple[Mode, ...] = ("deferred", "sync")

Faults = tuple[tuple[str, tuple[str, ...]], ...]
"""Operations, each with the faults that its requests for one shot meet."""
DIRECT = "renderjuice_default"
"""The connection straight to the emulator."""


@dataclass(frozen=True)
class Figures:
    """What is asked of a shot when all is over, and what came of it."""

    state: str = "success"
    """Of the task."""
    result: bool = True
    """Whether the task returned the summary of a completed render with every frame."""
    renders: int = 1
    """Paid renders started."""
    running: int = 0
    """Jobs that still cost money."""
    canceled: int = 0
    """Renders that were cancelled. A job that is stopped before its render was started costs nothing, and is not counted."""

    @property
    def bill(self) -> tuple[int, int, int]:
        """What Renderjuice alone knows."""
        return self.renders, self.running, self.canceled


ONCE = Figures()
"""One render, completed and returned, and nothing else."""
Step = Callable[["Stage", Sequence["Shot"]], None]
"""Something that somebody does to the shots of a scenario, or waits for."""


@dataclass(frozen=True)
class Scenario:
    """One kind of misfortune.

    Attributes:
        group: the row of the table in which it is counted.
        name: unique; without spaces, since scenes and logs are named after it.
        operator, mode, variant: which DAG, unless
        dag: names it.
        shots: how many meet it at once.
        frames, seconds: of the scene: how many frames, and how long each takes.
        faults: what the requests of each shot meet. A fault that is not met is a deviation: its point was not proven. Unless
        unsure: then at least one must be. What got through in spite of a fault is not asked again, and meets no second one.
        ordered: what somebody else let the job render, before the task is started; only for the operator that is given a job.
        steps: what is done to the shots once they are started, in order.
        expect: what each shot must come to.
        in_terminal: whether somebody tries it out with `airflow dags test`, instead of leaving it to a scheduler.
        connection: of Airflow. Who has one of their own is looked at alone.
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
    ordered: Mapping[str, Any] | None = None
    steps: tuple[Step, ...] = ()
    expect: Figures = ONCE
    in_terminal: bool = False
    connection: str = DIRECT
    relayed: bool = False
    patience: float = 300.0

    @property
    def dag_id(self) -> str:
        """Of the DAG that does the work."""
        return self.dag or f"chaos_{self.operator}_{self.mode}_{self.variant}"
