"""Flows: generators that decide what to do, and leave it to a wire to do it.

An operation on Renderjuice is a flow. It yields steps (a request, a pause, work on the disk) and
gets the result of each. `renderjuice_provider.api._blocking_wire` performs the steps in the calling
thread, `renderjuice_provider.api._async_wire` on an event loop, and a test performs them by hand:
the flow is the same.

How to write one: every step is used with `yield from`, which is typed, and gives the step's result.

    def when_it_answers(job_id: str) -> Flow[int]:
        while True:
            outcome = yield from Call("GET", f"/jobs/{job_id}")    # Response | NoResponse
            if isinstance(outcome, Response):
                return outcome.status
            yield from Pause(2.0)

A flow uses another one in the same way: `status = yield from when_it_answers(job_id)`.
Who performs it: `client.run(when_it_answers(job_id))`, or `await client.run(...)`.

A flow must not block, sleep or send anything itself. It may catch every `RenderjuiceError`, also
one that a step raises because this machine failed (a full disk, an unusable proxy).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from renderjuice_provider.api.scene_file import SceneFile

T = TypeVar("T")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Received:
    """A file that arrived whole: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Response:
    """What came back, whatever its status.

    Attributes:
        status: the HTTP status.
        headers: their names in lower case.
        body: empty when the response was a file.
        received: the file that was fetched; None when there was none.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    received: Received | None = None

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class NoResponse:
    """Nothing usable came back.

    Attributes:
        reason: for people.
        sent: False only when the request certainly never left this machine.
        transient: whether a retry may succeed.
    """

    reason: str
    sent: bool
    transient: bool = True


class Step(Generic[Result]):
    """Something that a wire performs for a flow; `yield from` it to get its result."""

    def __iter__(self) -> Generator[Step[Any], Any, Result]:
        # All steps pass the same `yield`, so its type cannot say which result belongs to which
        # step. Here it is known, and nowhere else must it be said.
        result: Result = yield self
        return result


Flow = Generator[Step[Any], Any, T]
"""A generator that yields steps and returns a `T`."""


@dataclass(frozen=True)
class Call(Step[Response | NoResponse]):
    """A request to the API itself: the only kind that carries the key.

    Attributes:
        method: such as `GET`.
        path: below the base URL.
        body: what is sent as JSON; None sends no body.
        params: the query.
        longest: bytes of a body that are read; by default
            `renderjuice_provider.api._attempt.LONGEST`.
        within: seconds after which the response is of little use. The call gets the client's
            `timeout` in any case.
    """

    method: str
    path: str
    body: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    longest: int | None = None
    within: float | None = None


@dataclass(frozen=True)
class PutFile(Step[Response | NoResponse]):
    """The bytes of a scene to a presigned URL. No key, no cookies. A redirect is a response."""

    url: str = field(repr=False)
    scene: SceneFile


@dataclass(frozen=True)
class FetchFile(Step[Response | NoResponse]):
    """A signed URL to a local file. No key, no cookies. A redirect is a response.

    Attributes:
        partial_file: where the bytes go. It is deleted again when not all of them arrive, unless
            `on_validator` was called.
        resume_from: bytes that are there already and stay, so that only the rest is asked for. A
            store that sends the whole file nevertheless (its copy has changed, or it has no ranges)
            has its way. `Response.received` is about the whole file in any case.
        validator: what `on_validator` got when these bytes came.
        on_validator: called before the first byte is written, with the store's name for this very
            copy of the file (a strong ETag, or else Last-Modified). Not called where the store
            gives none, and a rest could not be asked for.
        on_progress: called every `NOTED` bytes, and once when the transfer breaks off, with all
            that is in the file so far; with nothing when the file begins from the start. It is the
            thread that writes that calls it, so it may block.
    """

    url: str = field(repr=False)
    partial_file: Path
    resume_from: int = 0
    validator: str = ""
    on_validator: Callable[[str], None] | None = None
    on_progress: Callable[[Received], None] | None = None


NOTED = 64 << 20
"""Bytes between two calls of `FetchFile.on_progress`."""


@dataclass(frozen=True)
class Pause(Step[None]):
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True)
class RunInThread(Step[Result]):
    """Local work that may block, such as reading a zip; a blocking client just does it."""

    work: Callable[[], Result]


@dataclass(frozen=True)
class Gather(Step[list[Result]]):
    """Flows that are performed side by side, a few at a time; their results come in order.

    Attributes:
        flows: each is taken from here when its turn comes, so there may be very many.
        files: whether each of them moves a file. How many are performed at once is then found out
            (see `renderjuice_provider.api._lanes`), and an asynchronous client performs them in
            threads, from the first step to the last.
    """

    flows: Iterable[Flow[Result]]
    files: bool = False
