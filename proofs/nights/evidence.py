"""What was ordered, rendered, paid and delivered in a night, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.nights.studio import Night
from renderjuice_emulator.rendering import expand_frame_ranges
from renderjuice_emulator.testing import Emulator

ROUNDS = 3
MOST_RENDERED = 1.1
"""Frames for each that is needed."""

Entries = Mapping[str, Mapping[str, Any]]
"""The entries of a summary, by shot."""


@dataclass(frozen=True)
class Render:
    """One job that was started, as the emulator knows it."""

    job_id: str
    file_name: str
    ordered: frozenset[int]
    brought: frozenset[int]
    """The frames that can be downloaded and are whole."""
    frames_rendered: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """The counts of a night, or of several."""

    shots: int = 0
    delivered: tuple[int, ...] = (0,) * ROUNDS
    """Shots that were whole after the first, second and third round."""
    named: int = 0
    needed: int = 0
    rendered: int = 0
    jobs: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.shots + other.shots,
            tuple(mine + yours for mine, yours in zip(self.delivered, other.delivered, strict=True)),
            self.named + other.named,
            self.needed + other.needed,
            self.rendered + other.rendered,
            self.jobs + other.jobs,
        )

    @property
    def ratio(self) -> float:
        """Frames rendered for each that is needed."""
        return self.rendered / self.needed if self.needed else 0.0


def renders(emulator: Emulator) -> list[Render]:
    """All that the emulator was paid for, in order."""
    found = []
    for job in emulator.jobs.values():
        account = emulator.ledger.accounts[job.id]
        if job.final_config is None or not account.renders_started:
            continue
        ordered = frozenset(expand_frame_ranges(job.final_config["frameRanges"]))
        brought = ordered - job.mishaps.dropped - job.mishaps.damaged - job.mishaps.never_rendered
        found.append(
            Render(job.id, account.file_name, ordered, brought, account.frames_rendered, account.normalized_seconds)
        )
    return found


def count(night: Night, paid: Iterable[Render], entries: Entries) -> Figures:
    """The counts of one night."""
    paid = list(paid)
    rounds = {shot.name: max(len(_of(paid, name)) for name in shot.files().values()) for shot in night.shots}
    delivered = [rounds[name] for name in rounds if entries.get(name, {}).get("state") == "delivered"]
    return Figures(
        shots=len(night.shots),
        delivered=tuple(delivered.count(number + 1) for number in range(ROUNDS)),
        named=sum(bool(entry.get("reason")) for entry in entries.values() if entry.get("state") != "delivered"),
        needed=sum(shot.frames * len(shot.layers) for shot in night.shots),
        rendered=sum(render.frames_rendered for render in paid),
        jobs=len(paid),
    )


def complaints(night: Night, paid: Iterable[Render], entries: Entries, left_running: Sequence[str]) -> list[str]:
    """What is not as it should be; pictures aside."""
    paid = list(paid)
    found = [f"job {job_id} was left running" for job_id in left_running]
    found += [f"{name} is in the summary, and not in the list" for name in entries.keys() - _names(night)]
    for shot in night.shots:
        entry = entries.get(shot.name)
        own = {layer: _of(paid, name) for layer, name in shot.files().items()}
        for layer, each in own.items():
            found += [f"{shot.name}, {layer}: {text}" for text in _unnecessary(each)]
        if entry is None:
            found.append(f"{shot.name} is not in the summary")
            continue
        found += [f"{shot.name}: {text}" for text in _spending(entry, [each for some in own.values() for each in some])]
        lacking = {layer: _lacking(each, shot.frames) for layer, each in own.items()}
        found += [f"{shot.name}: {text}" for text in _state(entry, lacking, own)]
    return found


def differences(before: Entries, after: Entries) -> list[str]:
    """What a further run of a night has changed about its shots, and should not."""
    kept = ("state", "spent", "version", "reason")
    return [
        f"{name}: a second run of the night changed {field} from {before[name].get(field)} to {entry.get(field)}"
        for name, entry in after.items()
        for field in kept
        if name in before and before[name].get(field) != entry.get(field)
    ]


def _names(night: Night) -> set[str]:
    return {shot.name for shot in night.shots}


def _of(paid: Iterable[Render], file_name: str) -> list[Render]:
    return [render for render in paid if render.file_name == file_name]


def _unnecessary(layer: Sequence[Render]) -> list[str]:
    """Frames that were ordered although they were there, and more than three rounds."""
    there: frozenset[int] = frozenset()
    found = []
    for render in layer:
        if again := render.ordered & there:
            found.append(f"job {render.job_id} ordered frames {sorted(again)}, which were there and whole")
        there |= render.brought
    return found + ([f"{len(layer)} rounds"] if len(layer) > ROUNDS else [])


def _lacking(layer: Sequence[Render], frames: int) -> set[int]:
    return set(range(1, frames + 1)).difference(*(render.brought for render in layer))


def _spending(entry: Mapping[str, Any], paid: Sequence[Render]) -> list[str]:
    said = {job_id: seconds for job_id, seconds in (entry.get("spent") or {}).items() if seconds != 0}
    ledger = {render.job_id: render.seconds for render in paid if render.seconds}
    found = [f"the ledger has job {job_id}, the summary has not" for job_id in ledger.keys() - said.keys()]
    found += [f"the summary has job {job_id}, the ledger has not" for job_id in said.keys() - ledger.keys()]
    return found + [
        f"job {job_id} cost {ledger[job_id]} s, the summary says {said[job_id]}"
        for job_id in said.keys() & ledger.keys()
        if said[job_id] is None or abs(said[job_id] - ledger[job_id]) > 0.001
    ]


def _state(entry: Mapping[str, Any], lacking: Mapping[str, set[int]], own: Mapping[str, Sequence[Render]]) -> list[str]:
    """Whether the entry is right about a shot that is whole, or has to be named."""
    state, lost = entry.get("state"), {layer: frames for layer, frames in lacking.items() if frames}
    if not lost:
        return [] if state == "delivered" else [f"its frames are all there, and it is {state}: {entry.get('reason')}"]
    if state == "delivered":
        return [f"it is delivered without frames that are in no job: {lost}"]
    if not entry.get("reason"):
        return [f"it is {state} without a reason"]
    return [
        f"{layer} is given up after {len(own[layer])} rounds: {entry['reason']}"
        for layer in lost
        if len(own[layer]) < ROUNDS
    ]
