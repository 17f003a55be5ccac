"""What a shared poller contributes to Airflow's statistics: see docs/metrics.md."""

from __future__ import annotations

import socket
from collections import Counter

from renderjuice_provider._metrics import ON_SERVERS, OPEN_WAITS, POLLS, QUEUE_DURATION, Metrics
from renderjuice_provider.lifecycle.job_poller import PollAgain, PollDecision


class PollFigures:
    """Counts polls, and sends the counts once a round: a thousand polls are a few packets.

    Args:
        conn_id: the connection, for the tags.
        metrics: where to send them.
    """

    def __init__(self, conn_id: str, metrics: Metrics = ON_SERVERS) -> None:
        self._tags = {"connection": conn_id}
        self._metrics = metrics
        self._responses: Counter[str] = Counter()
        self._queued: list[float] = []

    def add(self, decision: PollDecision) -> None:
        """Note one poll of one job."""
        self._responses[decision.response] += 1
        if isinstance(decision, PollAgain) and decision.queued is not None:
            self._queued.append(decision.queued)

    def send(self, waits: int) -> None:
        """Send what was noted since the last time, and how many waits are open."""
        responses, self._responses = self._responses, Counter()
        queued, self._queued = self._queued, []
        for response, number in responses.items():
            self._metrics.count(POLLS, self._tags | {"response": response}, number)
        for seconds in queued:
            self._metrics.duration(QUEUE_DURATION, seconds, self._tags)
        self._metrics.gauge(OPEN_WAITS, waits, self._tags | {"hostname": socket.gethostname()})
