"""A scenario: its case, and what is done to its shots meanwhile.

The scenarios themselves are in `kill_points`, `user_actions`, `accidents`, `trials`, `processes`,
`network` and `events`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proofs.chaos.case import Case
from proofs.chaos.harness import Harness
from proofs.chaos.shots import Shot

Move = Callable[[Harness, Sequence[Shot]], None]
"""Something that somebody does to the shots of a scenario, or waits for. All are in `moves`."""


@dataclass(frozen=True)
class Scenario(Case):
    """A case with moves.

    Attributes:
        moves: what is done to the shots once they are started, in this order.
    """

    moves: tuple[Move, ...] = ()
