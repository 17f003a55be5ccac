"""Calls of the clients, and any answers to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api._download import download
from renderjuice_provider.api._flow import NoResponse, Response
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import plan
from renderjuice_provider.api._upload import upload
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.retry import RetryPolicy
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from tests.fuzz.holds import is_below, is_secret_free, is_storable, is_stored, secret_free_errors
from tests.fuzz.inputs import JOB_ID, KEY, SIGNATURE, Chance
from tests.fuzz.measure import Target
from tests.support.flow_driver import Clock, Nowhere, drive

CONFIG = {"colorManagementPreset": "default"}
URL = f"https://store.test/frames/0001.png?{SIGNATURE}"
JOB = {
    "id": JOB_ID,
    "status": "rendering",
    "createdAt": "2026-01-01T00:00:00Z",
    "normalizedSeconds": 12.5,
    "previewUrl": URL,
    "failedReason": {"name": "no camera", "type": "SCENE"},
    "requestedConfig": CONFIG,
    "finalConfig": CONFIG | {"resolution": [1920, 1080]},
    "output": {"isDeletedForClient": False},
    "analysis": {"frameStart": 1, "frameEnd": 3, "views": [], "cameras": ["Camera"]},
}
FRAME = {"url": URL, "fileName": "sh_0001.png", "view": "left", "legacy": False}
PASS = {
    "url": URL,
    "fileName": "0001.exr",
    "relativePath": "Depth/0001.exr",
    "compositeNodeName": "Depth",
    "view": None,
}
DOWNLOADS = {
    "frames": [URL],
    "compositeNodes": [URL],
    "transforms": [],
    "frameOutputs": [FRAME, FRAME | {"fileName": "sh_0002.png"}],
    "compositeNodeOutputs": [PASS, PASS | {"relativePath": "../../x"}],
}
PAGE = {"jobs": [JOB, JOB], "pagination": {"page": 1, "totalPages": 2, "pageSize": 100, "total": 2}}
TARGET = {"uploadUrl": URL, "slug": "a-slug", "expiresAt": "2026-01-01T00:00:00Z"}
PROGRESS = [{"jobId": JOB_ID, "framesCompleted": 3, "framesTotal": 24, "framesFailed": 0, "percentage": 12.5}]
ERROR = {"statusCode": 400, "error": "Bad Request", "message": f"no {KEY} at {URL}", "errors": [{"message": "x"}]}
ALL = (JOB, {"data": JOB}, DOWNLOADS, {"data": DOWNLOADS}, PAGE, TARGET, PROGRESS, PROGRESS[0], ERROR)
STATUSES = (
    *(200,) * 12,
    201,
    202,
    204,
    206,
    302,
    307,
    400,
    401,
    402,
    403,
    404,
    407,
    409,
    410,
    418,
    429,
    500,
    503,
    599,
    700,
)
_FOLDER = Path(mkdtemp(prefix="renderjuice-fuzz-"))
SCENE = write_scene(_FOLDER / "shot.blend")


def answer(chance: Chance, *likely: Any) -> Response | NoResponse:
    if chance.random() < 0.06:
        return NoResponse(chance.text(), chance.random() < 0.5, chance.random() < 0.9)
    headers = {}
    if chance.random() < 0.3:
        dates = ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 99999 07:28:00 GMT", "Thu, 1 Jan 1970 00:00:00 -9999")
        headers["retry-after"] = chance.choice((*dates, "0", "1.5", "-1", "nan", "1e400", "9" * 400, chance.text()))
    if chance.random() < 0.2:
        headers |= {chance.choice(("content-type", "location")): chance.choice((URL, chance.text()))}
    return Response(chance.choice(STATUSES), headers, chance.body(*(likely or ALL)))


def server(chance: Chance, *likely: Any) -> Callable[[Any], Response | NoResponse]:
    """Says a few things, and the last of them for ever."""
    left = [answer(chance, *likely) for _ in range(chance.choice((1, 1, 2, 4)))]
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def operations(chance: Chance, clock: Clock) -> Operations:
    return Operations(KEY, RetryPolicy(3, jitter=chance.random), now=clock)


def _calls(chance: Chance) -> None:
    clock = Clock()
    ask = operations(chance, clock)
    known = chance.random() < 0.9
    job_id = JOB_ID if known else chance.anything()
    config = CONFIG if known else chance.changed(CONFIG)
    name = "shot.blend" if known else chance.choice(("shot.zip", chance.text(), chance.anything()))
    flow, likely = chance.choice(
        (
            (lambda: ask.create_upload(name, "blend" if known else chance.choice(("zip", name))), TARGET),
            (lambda: ask.create_job("slug" if known else chance.anything()), JOB),
            (lambda: ask.get_job(job_id), JOB),
            (lambda: ask.validate_job(job_id), JOB),
            (lambda: ask.start_render(job_id, config), JOB),
            (lambda: ask.cancel_job(job_id), JOB),
            (lambda: ask.get_progress(job_id), PROGRESS),
            (ask.get_progress, PROGRESS),
            (lambda: ask.get_downloads(job_id), DOWNLOADS),
            (lambda: download(ask, job_id, Nowhere()), DOWNLOADS),
            (lambda: upload(ask, SCENE if known else os.fspath(SCENE) + chance.text()), TARGET),
        )
    )
    with secret_free_errors() if known else nullcontext():  # what a caller hands over may be anything
        result, _ = drive(flow(), server(chance, likely, {"data": likely}, JOB, ERROR), clock)
        repr(result)
        if hasattr(result, "model_dump"):
            is_storable(result.model_dump(mode="json"))
        for counters in result if isinstance(result, tuple) else ():
            str(counters)
            is_stored(counters.serialize())


def _list(chance: Chance) -> None:
    clock = Clock()
    seen: list[Job] = []
    with secret_free_errors():
        listing = JobListing(operations(chance, clock), chance.choice((None, "rendering", chance.text())))
        reply = server(chance, PAGE, {"data": PAGE}, ERROR)
        for _ in range(30):
            if listing.more:
                seen += drive(listing.next_page(), reply, clock)[0]
    assert len({job.id for job in seen}) == len(seen)


def _watch(chance: Chance) -> None:
    clock = Clock()
    lines: list[str] = []
    now = clock.now.timestamp()
    target = chance.choice(("completed", "validated"))
    wait = JobPoller(JOB_ID, target, poll_interval=30, started=now, deadline=now + 900, jitter=chance.random)
    outcome, _ = drive(
        watch(operations(chance, clock), wait, lines.append), server(chance, JOB, PROGRESS, ERROR), clock
    )
    is_stored(outcome.to_event())
    for line in (*lines, outcome.message):
        is_secret_free(line)
        line.encode()


def _plan(chance: Chance) -> None:
    from renderjuice_provider.api.models import Downloads, parse

    with secret_free_errors():
        places = [file.place for file in plan(parse(Downloads, chance.changed(DOWNLOADS), "download list"))]
    for place in places:
        is_below(place)
    assert len({str(place).casefold() for place in places}) == len(places), "two at one place"


TARGETS = [
    Target("calls", _calls, share=8),
    Target("list", _list, share=2),
    Target("watch", _watch, share=1),
    Target("plan", _plan, share=4),
]
