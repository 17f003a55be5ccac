"""Suspicious frames: there, whole, and not what was expected. Each is rendered once more, alone.

    nothing is missing any more: look at what is there
          |
          +-- nothing is suspicious ------------------------------------> done
          +-- it was rendered again already ----------------------------> a remark
          +-- there may be no other round, or money ends before it ------> a remark that says so
          +-- else: it is set aside, is missing now, and the next round orders it

`suspicious.json` in the folder is written before a file is moved, so a process that dies between
the two leaves what the next one needs to go on. While a frame is aside, the jobs that the folder
had then do not bring it back: only a later one can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from renderjuice_provider.api._flow import Flow
from renderjuice_provider.lifecycle.frame_folder import FrameFolder, Suspect

T = TypeVar("T")
_MOST_SHOWN = 5
"""Files that a message names."""


class _OnDisk(Protocol):
    def __call__(self, work: Callable[[], T]) -> Flow[T]: ...


class Suspects:
    """The suspicious frames of one folder.

    Args:
        folder: where the frames are.
        on_disk: performs what may block.
        log: gets what belongs in the task's log.

    Attributes:
        remarks: what is odd about files that stay, by place, as of the last look.
    """

    def __init__(self, folder: FrameFolder, on_disk: _OnDisk, log: Any) -> None:
        self.remarks: dict[str, str] = {}
        self._folder = folder
        self._on_disk = on_disk
        self._log = log
        self._found: dict[str, Suspect] = {}
        self._known: dict[str, Suspect] = {}

    @property
    def again(self) -> tuple[str, ...]:
        """The places of what was rendered again."""
        return tuple(sorted(place for place, each in self._known.items() if each.state == "again"))

    @property
    def odd(self) -> dict[str, Any]:
        """Both, for the manifest of the folder."""
        return {"remarks": self.remarks, "again": list(self.again)}

    def recover(self, noted: Collection[str]) -> Flow[None]:
        """Read what is known, and finish the moves that another process may have begun.

        Args:
            noted: the jobs of the folder. What is known by other jobs alone is another order's.
        """
        known = yield from self._on_disk(self._folder.suspects)
        self._known = {
            place: each for place, each in known.items() if not each.jobs or not set(noted).isdisjoint(each.jobs)
        }
        for place, each in self._known.items():
            if each.state == "aside" and set(noted) <= set(each.jobs):
                yield from self._on_disk(partial(self._folder.set_aside, place))
            elif each.state == "kept":
                yield from self._on_disk(partial(self._folder.put_back, place))

    def keeps_out(self, place: str, job_id: str) -> bool:
        """Whether a file of a job is the one that looked wrong."""
        each = self._known.get(place)
        return each is not None and each.state != "kept" and job_id in each.jobs

    def awaited(self) -> Flow[frozenset[int]]:
        """The frames that are aside, and not back yet."""
        return frozenset(each.frame for each in (yield from self._absent()))

    def look(self, requested: frozenset[int] | None) -> Flow[list[str]]:
        """Look at all that is there. Returns the places that are suspicious for the first time."""
        if requested is not None:
            self._found = yield from self._on_disk(partial(self._folder.look, requested))
        absent = {each.place for each in (yield from self._absent())}
        back = [
            replace(each, state="again")
            for place, each in self._known.items()
            if each.state == "aside" and place not in absent
        ]
        yield from self._keep(back)
        self._remark()
        return [place for place in self._found if place not in self._known]

    def set_aside(self, places: Iterable[str], noted: Collection[str]) -> Flow[None]:
        """Move files away, so that they count as missing."""
        suspects = [replace(self._found[place], jobs=tuple(noted)) for place in places]
        self._log.warning("These look wrong, and are rendered again: %s", _shown(suspects))
        yield from self._keep(suspects)
        for each in suspects:
            yield from self._on_disk(partial(self._folder.set_aside, each.place))

    def leave(self, places: Iterable[str], why: str) -> Flow[None]:
        """Let files stay as they are, since they cannot be rendered again."""
        suspects = [replace(self._found[place], state="kept", why=why) for place in places]
        self._log.warning("These look wrong, and are not rendered again (%s): %s", why, _shown(suspects))
        yield from self._keep(suspects)
        self._remark()

    def give_back(self, why: str) -> Flow[bool]:
        """Put back what was not rendered again, and never will be. False where there is nothing."""
        suspects = [replace(each, state="kept", why=why) for each in (yield from self._absent())]
        if suspects:
            self._log.warning("These were not rendered again (%s): %s", why, _shown(suspects))
        yield from self._keep(suspects)
        for each in suspects:
            yield from self._on_disk(partial(self._folder.put_back, each.place))
        return bool(suspects)

    def _absent(self) -> Flow[list[Suspect]]:
        there = yield from self._on_disk(self._folder.places)
        return [each for place, each in self._known.items() if each.state == "aside" and place not in there]

    def _keep(self, suspects: Collection[Suspect]) -> Flow[None]:
        if suspects:
            self._known = self._known | {each.place: each for each in suspects}
            yield from self._on_disk(partial(self._folder.write_suspects, self._known))

    def _remark(self) -> None:
        self.remarks = {
            place: f"{self._found[place].reason}; {_fate(each)}"
            for place, each in sorted(self._known.items())
            if place in self._found
        }


def _fate(each: Suspect) -> str:
    return f"not rendered again: {each.why}" if each.state == "kept" else "rendered again, and still so"


def _shown(suspects: Collection[Suspect]) -> str:
    named = [f"{each.place} ({each.reason})" for each in list(suspects)[:_MOST_SHOWN]]
    more = len(suspects) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
