"""What a command may spend, by all its jobs together, held at every poll."""

from __future__ import annotations

from renderjuice.walks import Walk
from renderjuice_provider.api.errors import Bill, RenderjuiceCeilingError, RetryEffect
from renderjuice_provider.api.models import RENDER_STARTED, Job
from renderjuice_provider.lifecycle.ceiling import cost_of

OPTION = "--max-normalized-seconds"


class Budget:
    """Normalized seconds. A cost that nobody knows is taken for all that is left.

    Args:
        most: that may be spent.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self._spent: dict[Walk, float] = {}
        self._rendering: set[Walk] = set()

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.most - sum(self._spent.values())

    def most_of(self, walk: Walk) -> float:
        """What the job of a walk may come to, while the others go on as fast as it does."""
        return self._spent.get(walk, 0.0) + self.left / max(1, len(self._rendering | {walk}))

    def seen(self, walk: Walk, job: Job, spent: float) -> None:
        """Note what a job may have spent until now."""
        self._spent[walk] = spent
        (self._rendering.add if job.status in RENDER_STARTED else self._rendering.discard)(walk)

    def ended(self, walk: Walk, job: Job | None) -> None:
        """Note what a walk has cost in the end."""
        self._rendering.discard(walk)
        if job is None:
            return
        cost = cost_of(job) if job.is_over else self._spent.get(walk, 0.0)
        self._spent[walk] = float("inf") if cost is None else cost

    def check(self) -> None:
        """Keep a render from being ordered when nothing is left.

        Raises:
            RenderjuiceCeilingError: when it must not be.
        """
        if self.left <= 0:
            raise RenderjuiceCeilingError("Nothing is left to be spent", bill=Bill.NOTHING_ORDERED)

    def worded(self, error: RenderjuiceCeilingError, walk: Walk) -> RenderjuiceCeilingError:
        """The same error for a person: of one job it says what all have spent."""
        job = error.job or walk.seen.job
        is_ordered = job is not None and (job.is_over or job.status in RENDER_STARTED)
        known = [cost for cost in self._spent.values() if cost != float("inf")]
        more = "" if len(known) == len(self._spent) else ", and what is not known,"
        what = f"{walk.seen.name} was {'cancelled' if is_ordered else 'not rendered'}"
        worded = RenderjuiceCeilingError(
            f"{what}: {sum(known):.0f} normalized seconds{more} are spent, of {self.most:g} ({OPTION})",
            job=job,
            retry=RetryEffect.CANNOT_HELP,
            next_step=f"allow more with {OPTION}",
        )
        return worded if is_ordered else worded.settle(bill=Bill.NOTHING_ORDERED)
