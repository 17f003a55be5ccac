"""How fast frames come, and so how long the rest of them takes. Pure."""

from __future__ import annotations

_KEPT = 12
"""Changes of a counter that are gone by: a scene may be slower at its end than at its beginning."""


class Pace:
    """Of one job, as its polls have seen it."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def note(self, done: int | None, now: float) -> None:
        """Note a poll.

        Args:
            done: frames that are rendered; None where nobody says.
            now: in seconds since the epoch.
        """
        if done is None:
            return
        if self._seen and (done < self._seen[-1][1] or now < self._seen[-1][0]):
            self._seen.clear()  # a counter or a clock went backwards
        if not self._seen or done > self._seen[-1][1]:
            self._seen = [*self._seen, (now, done)][-_KEPT:]

    def left(self, total: int | None, now: float) -> float | None:
        """Seconds until all frames are there; None as long as nobody can know."""
        if total is None or len(self._seen) < 2:
            return None
        (began, first), (until, done) = self._seen[0], self._seen[-1]
        each = (until - began) / (done - first)
        return max(0.0, each * (total - done) - max(0.0, now - until))
