"""What is delivered, as an asset of Airflow: a DAG after it runs for just the shots that changed.

Each delivered shot makes an event of `DELIVERED`. From Airflow 3.3 on the event's partition key is
the shot, and a DAG with `schedule=each_delivered_shot()` gets a run for each shot. Before, an event
cannot carry a key of its own, and one run gets all events since the run before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import airflow.sdk
from airflow.sdk import Asset

from renderjuice_provider.api.redact import storable

DELIVERED = Asset(name="renderjuice_deliveries", uri="renderjuice://deliveries")
"""The outlet of `deliver`."""
PUBLISHED = Asset(name="renderjuice_shots", uri="renderjuice://shots")
"""For `if_published`. What publishes a shot makes an event of it: a DAG with this outlet, or
`POST /api/v2/assets/events`."""

_SAID = ("shot", "version", "movie", "destination")
"""What a delivery's event says at least."""


def announce(delivered: Mapping[str, Any], destination: str, context: Any) -> None:
    """Make an event of the delivery; none where an earlier run has delivered this version.

    A retry, or a clear, may announce the same again. Called in a task with the outlet `DELIVERED`.
    The event's `extra` has `shot`, `version`, `frames` (a count), `movie` (its path) and
    `destination`.

    Args:
        delivered: what `stages.delivery.deliver` returned.
        destination: of all deliveries.
        context: of the task.
    """
    # A try that died after it had delivered has announced nothing: only a success makes events.
    if not delivered["new"] and context["ti"].try_number == 1:
        # When a task succeeds, Airflow makes an event of each of its outlets, announced or not.
        context["task"].outlets = []
        return
    event = context["outlet_events"][DELIVERED]
    extra = {name: delivered[name] for name in ("shot", "version", "frames", "movie")}
    event.extra = storable(extra | {"destination": destination})
    if hasattr(event, "add_partitions"):  # Airflow 3.3 and later
        event.add_partitions(delivered["shot"])


def each_delivered_shot() -> Any:
    """For `schedule`: a run for each delivered shot, or before Airflow 3.3 for all since the last.

    In both cases ask `newest` which shots it is about.
    """
    if not hasattr(airflow.sdk, "PartitionedAtRuntime"):
        return [DELIVERED]
    return airflow.sdk.PartitionedAssetTimetable(assets=DELIVERED)


def newest(events: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """By shot, the `extra` of its newest event; the `events` are those that started a run.

    What is not an event of `announce`, such as one that somebody made by hand, is left out.
    """
    ordered = sorted(events, key=lambda event: event.timestamp)
    return {event.extra["shot"]: dict(event.extra) for event in ordered if _is_delivery(event.extra)}


def _is_delivery(extra: Any) -> bool:
    return isinstance(extra, Mapping) and all(isinstance(extra.get(name), str) for name in _SAID)


def if_published(timetable: Any) -> Any:
    """For `schedule`: as `timetable`, but only if a shot was published since the last run.

    Airflow can do so from 3.4 on; before, this is `timetable` itself.
    """
    if not hasattr(airflow.sdk, "AssetAndTimeSchedule"):
        return timetable
    return airflow.sdk.AssetAndTimeSchedule(assets=[PUBLISHED], timetable=timetable)
