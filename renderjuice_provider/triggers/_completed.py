"""Events for completed renders without a webhook: an asset's watcher that lists jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from renderjuice_provider.api.errors import reason
from renderjuice_provider.api.redact import redact, storable
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.completion import KnownCompletions, render_of_job

if TYPE_CHECKING:
    from renderjuice_provider.api.client import AsyncRenderjuiceClient
    from renderjuice_provider.api.models import Job

_CLASS_PATH = "renderjuice_provider.triggers.renderjuice.RenderjuiceCompletedTrigger"
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 600.0
"""Seconds between two tries while the list cannot be read."""
_WHOLE = 3600.0
"""Seconds after which all pages are read, whatever the list's count says."""
SETTLED = 30.0
"""Seconds after an event by which a scheduler has made the run of a DAG; a busy one takes ten."""
_KEY = "renderjuice_completed"
"""Of the asset state store."""


class RenderjuiceCompletedTrigger(BaseEventTrigger):
    """Fires for each render of the workspace that completes: for an `AssetWatcher`.

    For an Airflow that Renderjuice's webhooks cannot reach. The event is a
    `renderjuice_provider.assets.CompletedRender`; in an asset event it is `extra["payload"]`, and
    `renders_of_events` finds it there.

        completed_renders(
            watchers=[AssetWatcher(name="renderjuice", trigger=RenderjuiceCompletedTrigger())]
        )

    What is completed before it runs for the first time gets no event. Where Airflow has an asset
    state store (3.3 and later), it remembers what it has seen, and what completes while no
    triggerer runs gets its event afterwards; before, it begins again with each start of a
    triggerer. After a crash an event may come twice. So does, before Airflow 3.4, the last of
    several that come within half a minute, half a minute later: without it, no run would get the
    others. Errors are waited out, whatever they are.

    Args:
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, looked up in the
            triggerer.
        poll_interval: seconds between two lists. 60 by default, since nothing waits for the event.
            One list is one request as long as nothing has completed.
    """

    def __init__(self, *, renderjuice_conn_id: str = "renderjuice_default", poll_interval: float = 60.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.renderjuice_conn_id = renderjuice_conn_id
        self.poll_interval = poll_interval
        self._store: Any = None
        self._remembered: str | None = None
        self._failures = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and the arguments as they were given."""
        arguments = {"renderjuice_conn_id": self.renderjuice_conn_id, "poll_interval": self.poll_interval}
        return _CLASS_PATH, storable(arguments)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """List completed jobs again and again, and fire for each that is new."""
        self._store = getattr(self, "asset_state_store", None)  # Airflow sets it, from 3.3 on
        known = client = None
        whole_until = 0.0
        crowd = _Crowd(_may_leave_events_out())
        try:
            while True:
                fresh: Sequence[Job] = ()
                try:
                    known = known or KnownCompletions(await self._recall())
                    is_first, whole = known.is_first, time.monotonic() >= whole_until
                    client = client or await RenderjuiceHook(self.renderjuice_conn_id).get_async_client()
                    fresh = await client.run(known.fresh(client.operations, whole=whole))
                    whole_until = time.monotonic() + _WHOLE if whole else whole_until
                    self._failures = 0
                    if is_first:
                        await self._remember(known)
                except Exception as error:  # noqa: BLE001 - a watcher that fails would end, and nobody would hear of a render
                    self._warn(error)
                    await _close(client)
                    client = None  # the key may be another one by then
                for job in fresh or crowd.again(time.monotonic()):
                    crowd.add(job, time.monotonic())
                    yield TriggerEvent(render_of_job(job))
                # Airflow takes events over within a second or two. What is remembered later comes
                # twice after a crash; what is remembered before would be lost.
                await asyncio.sleep(self._pause())
                if known:
                    await self._remember(known)
        finally:
            await _close(client)

    def _pause(self) -> float:
        pause = max(self.poll_interval, _SHORTEST_PAUSE)
        return min(pause * 2.0 ** min(self._failures, 10), max(pause, _LONGEST_PAUSE))

    def _warn(self, error: Exception) -> None:
        self._failures += 1
        self.log.warning(
            "Completed renders of %s cannot be listed (%s). Next try in %.0f s; events come then.",
            self.renderjuice_conn_id,
            reason(error),
            self._pause(),
        )

    async def _recall(self) -> str | None:
        """What is remembered; None at the very first, and where Airflow cannot remember."""
        if self._store is None:
            return None
        try:
            found = await self._store.aget(_KEY)
        except ValueError:
            self.log.warning(
                "Several assets are watched by the same trigger, so Airflow cannot remember what is completed: "
                "use one asset, completed_renders()."
            )
            self._store = None
            return None
        self._remembered = found if isinstance(found, str) else None
        return self._remembered

    async def _remember(self, known: KnownCompletions) -> None:
        if self._store is None or known.is_first or known.marks == self._remembered:
            return
        try:
            await self._store.aset(_KEY, known.marks)
        except Exception as error:  # noqa: BLE001 - it goes on with what it knows, and tries again
            self.log.warning("What is completed could not be remembered: %s", redact(str(error)))
        else:
            self._remembered = known.marks


def _may_leave_events_out() -> bool:
    """Whether a DAG's run may lack an event that came just before it was made.

    So it is before Airflow 3.4, where a DAG has one place in its queue for an asset: of events that
    come at once the run gets the first, and the next event that comes later brings the others.
    """
    from airflow.models.asset import AssetDagRunQueue

    return not hasattr(AssetDagRunQueue, "asset_event_id")


class _Crowd:
    """Events that came too soon after each other: the last of them has to come again.

    Args:
        matters: whether Airflow is one that may leave events out.
    """

    def __init__(self, matters: bool) -> None:  # noqa: FBT001 - its only argument
        self._matters = matters
        self._last: Job | None = None
        self._at = float("-inf")

    def add(self, job: Job, now: float) -> None:
        """Note an event that is fired now."""
        self._last = job if self._matters and now - self._at < SETTLED else None
        self._at = now

    def again(self, now: float) -> Sequence[Job]:
        """The event that has to come again, once it is late enough."""
        return [self._last] if self._last and now - self._at >= SETTLED else []


async def _close(client: AsyncRenderjuiceClient | None) -> None:
    if client:
        await client.close()
