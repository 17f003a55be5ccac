"""What happens to Renderjuice's events on their way, and to those who receive them.

An event is a hint: whatever becomes of it, each shot ends as it does without any. Where it arrived
at all it is noted, once, and makes one asset event, although Renderjuice sends it again and two API
servers take it.
"""

from __future__ import annotations

import json
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import httpx

from proofs.chaos.case import WEBHOOKED
from proofs.chaos.harness import ANOTHER_KEY, RECEIVERS, Harness
from proofs.chaos.moves import for_seconds, send, until_job_is, until_over, until_task_is
from proofs.chaos.proxy import Death
from proofs.chaos.scenario import Move, Scenario
from proofs.chaos.shots import Shot
from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.lifecycle.inbox import RENDER_COMPLETE, Inbox, newest_variable_of, variable_of

_LOST = ("reset-before",) * 4
"""Every attempt of Renderjuice."""
_LATE = "stall 60"
_PATIENCE = 150.0
"""Seconds for an event to become an asset event: its job is read some times, if it came early."""
_GROUP = "events of renders"


def events_on_their_way() -> Iterator[Scenario]:
    """Misfortunes that disturb no other shot."""
    yield _scenario("as they come")
    yield _scenario("doubled", "reset-after")
    yield _scenario("doubled-twice", "reset-after", "reset-after", "503")
    yield _scenario("repeated-until-the-last", *_LOST[1:])
    yield _scenario("lost", *_LOST, noted=0)
    yield _scenario("late", _LATE)
    yield _scenario("damaged", "nonsense", noted=0)
    yield _scenario("before-the-task-waits", frames=1, seconds=0.1)
    yield _scenario("out-of-order", shots=3, moves=(until_job_is("rendering"), _in_reverse))
    yield _scenario("too-early", moves=(until_job_is("rendering"), until_task_is("deferred"), _sent_by_hand))
    yield _scenario("of-another-workspace", moves=(until_job_is("rendering"), _of_another_workspace))
    yield _scenario("forged", frames=8, moves=(until_job_is("rendering"), until_task_is("deferred"), _forged))


def receivers_that_fail() -> Iterator[Scenario]:
    """Each disturbs everyone, so they are performed one after the other."""
    waiting = (until_job_is("rendering"), until_task_is("deferred"))
    yield _scenario("receiver-killed-before-the-note", moves=(*waiting, _receiver_dies("kill-before")))
    yield _scenario("receiver-killed-between-note-and-answer", moves=(*waiting, _receiver_dies("kill-after")))
    down = send(signal.SIGKILL, *RECEIVERS)
    yield _scenario("receivers-down-as-it-completes", shots=3, moves=(*waiting, until_job_is("finalizing"), down))
    stopped = (send(signal.SIGSTOP, *RECEIVERS), for_seconds(40), send(signal.SIGCONT, *RECEIVERS))
    yield _scenario("receivers-stalled-as-it-completes", shots=3, moves=(*waiting, *stopped))
    triggerers = send(signal.SIGKILL, "triggerer", "triggerer-2")
    yield _scenario("triggerers-killed-as-it-arrives", shots=3, moves=(*waiting, triggerers))
    yield _scenario("inbox-damaged", shots=2, frames=8, moves=(*waiting, _damage_the_inbox))
    yield _scenario("inbox-deleted", shots=2, frames=8, moves=(*waiting, _delete_the_inbox))


def noted_jobs(harness: Harness) -> Counter[str]:
    """The jobs of the events in the inbox."""
    response = harness.airflow.request("GET", f"/api/v2/variables/{variable_of(WEBHOOKED)}")
    events = Inbox.parse(response.json()["value"] if response.is_success else None).events
    return Counter(event.job_id for event in events)


def announced_jobs(harness: Harness) -> Counter[str]:
    """The jobs of the newest asset events."""
    query = {"order_by": "-timestamp", "limit": 100}
    events = harness.airflow.api("GET", "/assets/events", params=query)["asset_events"]
    return Counter(event["extra"].get("job_id") for event in events)


def _scenario(name: str, *faults: str, moves: tuple[Move, ...] = (), noted: int = 1, **more: float) -> Scenario:
    words = name.replace("-", " ")
    return Scenario(
        f"{_GROUP}: {words}",
        f"events-{name.replace(' ', '-')}",
        "render",
        "deferred",
        "rare",
        faults=(("webhook", faults),) if faults else (),
        moves=(*moves, until_over, _noted_as_expected),
        noted=noted,
        connection=WEBHOOKED,
        **more,  # type: ignore[arg-type]
    )


# Moves


def _noted_as_expected(harness: Harness, shots: Sequence[Shot]) -> None:
    """Each event is in the inbox, once, and has become one asset event; or neither, where lost."""
    for shot in shots:
        what = f"the event of {shot.file_name}, noted and announced {shot.case.noted} times"
        harness.until(partial(_is_as_expected, harness, shot), _PATIENCE, what)


def _is_as_expected(harness: Harness, shot: Shot) -> bool:
    times = [_times(shot, job_ids) for job_ids in (noted_jobs(harness), announced_jobs(harness))]
    if max(times) > shot.case.noted:
        raise AssertionError(f"the event of {shot.file_name} is noted and announced {times} times")
    return times == [shot.case.noted] * 2


def _times(shot: Shot, job_ids: Counter[str]) -> int:
    return sum(job_ids[account.job_id] for account in shot.accounts())


def _receiver_dies(death: Death) -> Move:
    def act(harness: Harness, _shots: Sequence[Shot]) -> None:
        harness.doorway.die(death)
        harness.until(lambda: not harness.doorway.left(), 120, f"an event at which a receiver dies ({death})")

    return act


def _post(harness: Harness, job_id: str, *, genuine: bool = True) -> int:
    """An event about a job, as Renderjuice sends it or not quite."""
    body = json.dumps({"event": RENDER_COMPLETE, "status": "completed", "jobId": job_id}).encode()
    headers = harness.emulator.webhooks.signature(body)
    return httpx.post(
        harness.webhooks_url, content=body if genuine else body + b" ", headers=headers, timeout=30
    ).status_code


def _job_of(shot: Shot) -> str:
    return shot.accounts()[-1].job_id


def _sent_by_hand(harness: Harness, shots: Sequence[Shot]) -> None:
    """Before it is true."""
    for shot in shots:
        _expect(_post(harness, _job_of(shot)), 200)


def _in_reverse(harness: Harness, shots: Sequence[Shot]) -> None:
    """Each from the last to the first, some of them before it is true, and then all once more."""
    _sent_by_hand(harness, shots[::-1])
    _sent_by_hand(harness, shots)


def _forged(harness: Harness, shots: Sequence[Shot]) -> None:
    for shot in shots:
        _expect(_post(harness, _job_of(shot), genuine=False), 401)
        if _times(shot, noted_jobs(harness)):
            raise AssertionError("an event that nobody signed was noted")


def _of_another_workspace(harness: Harness, _shots: Sequence[Shot]) -> None:
    """One about a job that this connection's key does not see, and one about a job of nobody."""
    with RenderjuiceClient(ANOTHER_KEY, harness.emulator.base_url) as client:
        scene = write_scene(harness.folder / "scenes" / "another-workspace.blend")
        other = client.create_job(client.upload(scene).slug).id
    for job_id in (other, str(uuid.uuid4())):
        _expect(_post(harness, job_id), 200)


def _expect(status: int, wanted: int) -> None:
    if status != wanted:
        raise AssertionError(f"an event was answered with {status}, not {wanted}")


def _damage_the_inbox(harness: Harness, _shots: Sequence[Shot]) -> None:
    for key in (variable_of(WEBHOOKED), newest_variable_of(WEBHOOKED)):
        harness.change("PATCH", f"/variables/{key}", {"key": key, "value": '{"version": 1, "count": [], "events": 7'})
    time.sleep(2)


def _delete_the_inbox(harness: Harness, _shots: Sequence[Shot]) -> None:
    for key in (variable_of(WEBHOOKED), newest_variable_of(WEBHOOKED)):
        harness.change("DELETE", f"/variables/{key}", {})
    time.sleep(2)
