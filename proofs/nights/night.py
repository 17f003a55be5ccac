"""One night by hand, and how a night is judged."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from proofs.nights import evidence, pictures, studio, walk
from proofs.nights.evidence import Entries, Figures
from proofs.nights.pictures import Pictures
from proofs.nights.studio import Night
from renderjuice_emulator.testing import Emulator

SPEED = 4000.0
"""Emulated seconds in one: a render of a minute takes 15 ms."""


@dataclass(frozen=True)
class Outcome:
    """What became of a night."""

    number: int
    figures: Figures
    named: dict[str, str]
    """Why shots were not delivered, by their names."""
    complaints: list[str]
    seconds: float


def judge(night: Night, emulator: Emulator, entries: Entries, right: Pictures, began: float) -> Outcome:
    """Hold a night's summary against the ledger and the deliveries.

    Args:
        night: what was to be done.
        emulator: what was asked for it; nothing of another night.
        entries: the summary's, by shot.
        right: what shots have to show.
        began: when, by the monotonic clock.
    """
    paid = evidence.renders(emulator)
    wrong = evidence.complaints(night, paid, entries, emulator.ledger.jobs_left_running())
    wrong += pictures.wrong_frames(night, entries, right)
    named = {name: str(entry.get("reason")) for name, entry in entries.items() if entry["state"] != "delivered"}
    return Outcome(night.number, evidence.count(night, paid, entries), named, wrong, time.monotonic() - began)


class Studio:
    """An emulator, and what shots have to show; all nights of a process share it.

    Args:
        folder: for everything.

    Attributes:
        right: what shots have to show.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, sys.stdout.fileno())  # the tasks log a great deal
        os.dup2(log, sys.stderr.fileno())
        self._folder = folder
        self._emulator = Emulator(speed=SPEED)
        self._emulator.start()
        walk.prepare(folder / "airflow", studio.environment(self._emulator))
        self.right = pictures.references(self._run(pictures.REFERENCES))

    def night(self, night: Night) -> Outcome:
        """Run a night, and once again, which has to change nothing; and judge it."""
        began = time.monotonic()
        self._emulator.reset()
        self._emulator.switches.mishaps = night.mishaps
        first = self._run(night)
        renders = self._emulator.ledger.renders_started()
        entries = self._run(night)
        outcome = judge(night, self._emulator, entries, self.right, began)
        if more := self._emulator.ledger.renders_started() - renders:
            outcome.complaints.append(f"a second run of the night started {more} renders")
        outcome.complaints.extend(evidence.differences(first, entries))
        if not outcome.complaints:
            shutil.rmtree(self._folder / night.date)
        return outcome

    def _run(self, night: Night) -> Entries:
        """One run of the nightly; the entries of the night's summary."""
        folder = self._folder / night.date
        shot_list = studio.write(night, folder / "scenes")
        walk.walk_night(studio.params(shot_list, night))
        return studio.summary(night, folder)


_studio: Studio


def start(folder: Path) -> None:
    """Make the studio of this process, in a folder of its own below `folder`."""
    global _studio  # noqa: PLW0603 - a pool of processes hands nothing else from its start to its work
    _studio = Studio(folder / str(os.getpid()))


def right() -> Pictures:
    """`Studio.right`, of the studio of this process."""
    return _studio.right


def run(night: Night) -> Outcome:
    """`Studio.night`, in the studio of this process."""
    return _studio.night(night)
