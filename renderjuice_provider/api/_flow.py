"""Flows: an operation as a generator that yields steps, is sent what came of each, and returns the result.

It decides; a wire performs. So a flow can be driven by hand in a test, by a thread, or by an event loop, and is the same flow.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from renderjuice_provider.api.scene_file import SceneFile

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to the API itself: the only kind that carries the key.

    Attributes:
        longest: bytes of an answer that are worth reading; by default what `renderjuice_provider.api._body` says.
        within: seconds after which its answer is of little use; it gets the connection's time-out in any case.
    """

    method: str
    path: str
    body: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    longest: int | None = None
    within: float | None = None


@dataclass(frozen=True)
class PutFile:
    """The bytes of a scene to a presigned URL. No key, no cookies. A redirect is an answer."""

    url: str = field(repr=False)
    scene: SceneFile


@dataclass(frozen=True)
class FetchFile:
    """A signed URL to a local file. No key, no cookies. A redirect is an answer."""

    url: str = field(repr=False)
    part: Path


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True)
class RunInThread:
    """Local work that may block: looking into a zip, moving a file into its place."""

    work: Callable[[], Any]


@dataclass(frozen=True)
class Gather:
    """Flows to perform side by side, a few at a time, each made when its turn comes; their results come back in order."""

    flows: Iterable[Flow[Any]]


@dataclass(frozen=True)
class Response:
    """What came back, whatever it says; `received` tells of a fetched file."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    received: Received | None = None

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Received:
    """A file that arrived whole."""

    size: int
    sha256: str


@dataclass(frozen=True)
class NoResponse:
    """Nothing came back. `sent` is False only when the request certainly never left, `passing` where asking again is of no use."""

    reason: str
    sent: bool
    passing: bool = True


Step = Call | PutFile | FetchFile | Pause | RunInThread | Gather
Flow = Generator[Step, Any, T]
