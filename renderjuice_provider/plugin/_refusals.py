"""Refused webhooks: by a named reason, for the log and a metric, and never for the sender."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from renderjuice_provider._metrics import ON_SERVERS, WEBHOOKS_REFUSED
from renderjuice_provider.api.redact import redact

log = logging.getLogger(__name__)

STATUS = {
    "too_large": 413,
    "cut_off": 400,
    "unknown_connection": 404,
    "no_secret": 404,
    "no_timestamp": 401,
    "wrong_signature": 401,
    "not_recent": 401,
    "busy": 503,
    "too_slow": 503,
    "unavailable": 503,
}
"""What is answered, by reason. Renderjuice sends again what was not answered with 2xx."""
QUIET = 10.0
"""Seconds between two lines about the same: a flood of forged requests must not fill a disk."""
MOST_PLACES = 1000
"""Reasons and connections that are remembered, apart from those of the last seconds."""
_SHARED = ("unknown_connection", "busy", "unavailable", "too_slow")
"""Reasons that an id which anyone made up can have: they have one place for all ids."""


def named(error: Exception) -> str:
    """An error in one line without secrets. No traceback: it would come with each request."""
    return redact(f"{type(error).__name__}: {error}")


class RefusedError(Exception):
    """A request that is not taken.

    Args:
        reason: one of `STATUS`.
        why: what is wrong, and what to do, for the log: a whole sentence.
    """

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why

    @property
    def status(self) -> int:
        """The HTTP status to answer with."""
        return STATUS[self.reason]


class RefusalLog:
    """Counts refusals and logs them: per reason and connection one line in ten seconds.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until: dict[tuple[str, str], float] = {}
        self._unlogged: Counter[tuple[str, str]] = Counter()

    def add(self, refused: RefusedError, renderjuice_conn_id: str) -> None:
        """Note one refusal."""
        ON_SERVERS.count(WEBHOOKS_REFUSED, {"reason": refused.reason})
        key = (refused.reason, "" if refused.reason in _SHARED else renderjuice_conn_id)
        now = self._clock()
        if now < self._quiet_until.get(key, now):
            self._unlogged[key] += 1
            return
        more = self._unlogged.pop(key, 0)
        if len(self._quiet_until) >= MOST_PLACES:
            self._quiet_until = {place: until for place, until in self._quiet_until.items() if until > now}
            self._unlogged = Counter({place: self._unlogged[place] for place in self._quiet_until})
        self._quiet_until[key] = now + QUIET
        log.warning(
            "Refused a webhook for the connection %s (%s): %s%s",
            ascii(renderjuice_conn_id[:250]),
            refused.reason,
            refused.why,
            f" {more} more like it since the last such line." if more else "",
        )
