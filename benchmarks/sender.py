"""Sends events to a receiver as Renderjuice does, at a steady rate, and says how it was answered.

    python -m benchmarks.sender events <url> <events a second> <seconds>

A process of its own, run by `benchmarks.receiver`. Each event is about a job of its own. Times
count from the moment at which an event was due, so a receiver that is late with one cannot make the
times of the next ones look better. The secret comes from the environment.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable

import aiohttp

SECRET = "RENDERJUICE_BENCH_SECRET"
FRAMES = 24
"""In an event: its body holds a signed URL for each."""
_CONNECTIONS = 100
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_OLD = 600
_HUGE = 64 * 1024**2

Request = tuple[bytes, dict[str, str]]
"""The body and the headers."""


def event(job_id: str = "") -> bytes:
    """The body of a genuine event."""
    urls = [f"https://conduit.example/download/{number:04d}.png?token={'x' * 240}" for number in range(FRAMES)]
    content = {
        "event": "onRenderComplete",
        "status": "completed",
        "jobId": job_id or str(uuid.uuid4()),
        "workspaceId": str(uuid.uuid4()),
        "completedAt": "2026-11-27T05:00:00.000Z",
        "outputs": {"frames": urls},
    }
    return json.dumps(content).encode()


def signed(body: bytes, secret: str, when: float | None = None, over: bytes | None = None) -> Request:
    """A request whose signature is right for the given secret, time and body."""
    timestamp = str(int(time.time() if when is None else when))
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + (body if over is None else over), hashlib.sha256)
    return body, {"x-renderjuice-signature": mac.hexdigest(), "x-renderjuice-timestamp": timestamp}


def _body_alone(secret: str) -> Request:
    body, headers = signed(event(), secret)
    return body, headers | {"x-renderjuice-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


FORGERIES: dict[str, Callable[[str], Request]] = {
    "no signature": lambda _: (event(), {}),
    "another secret": lambda _: signed(event(), "whsec-of-somebody-else"),
    "no secret": lambda _: signed(event(), ""),
    "body changed": lambda secret: signed(event(), secret, over=event()),
    "signed ten minutes ago": lambda secret: signed(event(), secret, time.time() - _OLD),
    "signed in ten minutes": lambda secret: signed(event(), secret, time.time() + _OLD),
    "signature of the body alone": _body_alone,
    "signature of another length": lambda secret: (
        event(),
        signed(event(), secret)[1] | {"x-renderjuice-signature": "0"},
    ),
    "a timestamp that is no number": lambda secret: (
        event(),
        signed(event(), secret)[1] | {"x-renderjuice-timestamp": "now"},
    ),
    "nothing": lambda _: (b"", {}),
    "bytes": lambda _: (os.urandom(2000), {"x-renderjuice-signature": "ff" * 32}),
}
"""What no receiver may take for Renderjuice's, by what is wrong with it."""
ODDITIES: dict[str, Callable[[str], Request]] = {
    "genuine, not JSON": lambda secret: signed(b"onRenderComplete", secret),
    "genuine, no job": lambda secret: signed(b'{"event": "onRenderComplete"}', secret),
    "genuine, no job id": lambda secret: signed(event("../../etc"), secret),
    "genuine, a list": lambda secret: signed(b"[]", secret),
    "genuine, very deep": lambda secret: signed(b"[" * 20_000, secret),
}
"""What Renderjuice has signed, and is no event about a job: answered 200, and not noted."""
REPLAYED = "replayed"
"""The same as was noted before: answered 200, and not noted again."""


async def send_events(url: str, rate: float, seconds: float) -> dict[str, object]:
    """`rate` events a second, each sent when it is due, whatever became of those before."""
    secret, statuses, times = os.environ[SECRET], Counter[str](), []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS), timeout=_TIMEOUT) as session:
        started = time.monotonic()

        async def send(due: float) -> None:
            body, headers = signed(event(), secret)
            statuses[await _post(session, url, body, headers)] += 1
            times.append(time.monotonic() - due)

        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due = started + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(send(due))
        took = time.monotonic() - started
    return {"statuses": statuses, "times": times, "seconds": took}


async def send_forgeries(url: str, count: int, at_once: int = 20) -> dict[str, object]:
    """`count` requests of all kinds in turn, and one that is huge; statuses by what is wrong.

    One genuine event comes first, so that it can be replayed.
    """
    secret = os.environ[SECRET]
    genuine = signed(event(), secret)
    kinds = list((FORGERIES | ODDITIES | {REPLAYED: lambda _: genuine}).items())
    statuses: dict[str, Counter[str]] = {name: Counter() for name, _ in kinds}
    numbers = iter(range(count - 2))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            name, make = kinds[number % len(kinds)]
            statuses[name][await _post(session, url, *make(secret))] += 1

    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        statuses["genuine"] = Counter([await _post(session, url, *genuine)])
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work(session))
        statuses["huge"] = Counter([await _post(session, url, *signed(bytes(_HUGE), secret))])
        unknown = url.rpartition("/")[0] + "/nobody"
        statuses["unknown connection"] = Counter([await _post(session, unknown, *genuine)])
    return {"statuses": statuses}


async def _post(session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> str:
    try:
        async with session.post(url, data=body, headers=headers) as response:
            await response.read()
            return str(response.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__


def main() -> None:
    """The command line."""
    what, url, *numbers = sys.argv[1:]
    if what == "events":
        found = asyncio.run(send_events(url, *map(float, numbers)))
    else:
        found = asyncio.run(send_forgeries(url, int(numbers[0])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
