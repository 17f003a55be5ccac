"""What this machine has ordered: one file for each order, so that the same order is taken up.

An order is a scene, by its bytes, and what of a configuration decides on pixels. Its file holds the
record of its job (`renderjuice_provider.lifecycle.record`), which is saved before anything is paid
for. So a `submit` that is given again, after Ctrl-C, a crash or a night, goes on where the first
one was, and renders nothing twice. It holds no key and no URL.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.lifecycle.record import JobRecord

_LATEST = 253402300799.0
"""The last second that a calendar has."""
_SHORT = 32
"""Characters of a fingerprint in a file's name."""


@dataclass(frozen=True)
class Booked:
    """One order, as its file has it.

    Attributes:
        scene: the path of the scene when it was ordered last.
        name: what its outputs are called.
        config: what was ordered.
        base_url: of the API that it was ordered from.
        ordered_at: when this began, in seconds since the epoch.
        record: of its job: see `JobRecord`.
        place: the file; not part of it.
    """

    scene: str
    name: str
    config: Mapping[str, Any]
    base_url: str
    ordered_at: Annotated[float, Field(ge=0, le=_LATEST)]
    record: Mapping[str, Any] | None = None
    place: Path = Path()

    @property
    def job_id(self) -> str | None:
        """The job, once there is one."""
        return self.record.get("job_id") if self.record else None

    @classmethod
    def read(cls, place: Path) -> Self | None:
        """The order in a file; None where there is none.

        Raises:
            RenderjuiceInputError: when it cannot be read: it may be of a job that renders.
        """
        try:
            fields = json.loads(place.read_text(encoding="utf-8"))
            booked = TypeAdapter(cls).validate_python(fields | {"place": place})
            if booked.record is not None:
                JobRecord.model_validate(booked.record)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError):
            raise RenderjuiceInputError(
                f"The order book has a file that cannot be read: {redact(str(place))}. "
                "Its job may be rendering: look with `renderjuice list`, then remove the file"
            ) from None
        return booked

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fields = {name: value for name, value in asdict(self).items() if name != "place"}
        partial = self.place.with_name(f".{self.place.name}.{os.getpid()}")
        with partial.open("w", encoding="utf-8") as file:
            partial.chmod(0o600)
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())  # the machine may fail; the render would go on
        partial.replace(self.place)


class OrderBook:
    """The orders of one API.

    Args:
        folder: where the files are; made when it is needed.
        base_url: of the API.
    """

    def __init__(self, folder: Path, base_url: str) -> None:
        self._folder = folder
        self._base_url = base_url

    def place(self, mark: str, content: str) -> Path:
        """The file of an order.

        Args:
            mark: of what decides on pixels, but for the scene: `Order.mark`.
            content: fingerprint of the scene.
        """
        name = hashlib.sha256("\n".join([self._base_url, mark, content]).encode()).hexdigest()
        return self._folder / f"{name[:_SHORT]}.json"

    def open(self, place: Path, scene: Path, name: str, config: Mapping[str, Any], now: float) -> Booked:
        """The order of this file: the one that is there, or a new one, which is not saved yet.

        Raises:
            RenderjuiceInputError: when the file cannot be read.
        """
        new = Booked(str(scene), name, config, self._base_url, now, place=place)
        old = Booked.read(place)
        return new if old is None else replace(old, scene=new.scene, name=name)

    def all(self) -> list[Booked]:
        """All orders that have a job, the newest first, but for files that cannot be read."""
        mine: list[Booked] = []
        for path in self._folder.glob("*.json"):
            with suppress(RenderjuiceError):
                booked = Booked.read(path)
                if booked and booked.job_id and booked.base_url == self._base_url:
                    mine.append(booked)
        return sorted(mine, key=lambda booked: booked.ordered_at, reverse=True)

    def of_path(self, path: Path) -> list[Booked]:
        """The newest order of a scene, or of each scene in a folder or below it."""
        wanted = path.resolve()
        newest: dict[str, Booked] = {}
        for booked in self.all():
            scene = Path(booked.scene)
            if scene == wanted or wanted in scene.parents:
                newest.setdefault(booked.scene, booked)
        return sorted(newest.values(), key=lambda booked: booked.scene)

    def of_job(self, job_id: str) -> Booked | None:
        """The order that made a job."""
        return self._by_job.get(job_id.lower())

    @cached_property
    def _by_job(self) -> dict[str, Booked]:
        return {str(booked.job_id): booked for booked in self.all()}


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Keep other processes of this machine from the same order. The system ends it with us.

    Raises:
        RenderjuiceInputError: when another has it.
    """
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with place.with_suffix(".lock").open("w", encoding="utf-8") as file:
        try:
            _lock(file.fileno())
        except OSError:
            raise RenderjuiceInputError(
                f"Another renderjuice is at this order: watch it with `renderjuice watch`, or wait until it has ended "
                f"({redact(str(place))})"
            ) from None
        yield


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        with suppress(ImportError):
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
