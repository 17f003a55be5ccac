"""Decisions about jobs: frames, names, orders, ends, records."""

from __future__ import annotations

from typing import Any

from renderjuice_provider import _frame_names as frame_names
from renderjuice_provider import frames
from renderjuice_provider.lifecycle import order
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.record import JobRecord, fingerprint
from tests.fuzz.asked import JOB
from tests.fuzz.holds import is_secret_free
from tests.fuzz.inputs import JOB_ID, Chance
from tests.fuzz.measure import Target
from tests.fuzz.read import WHOLE_CONFIG

ANALYSIS = {
    "frameStart": 1,
    "frameEnd": 3,
    "frameStep": 1,
    "views": ["left", "right"],
    "compositorOutputs": ["Depth", {"name": "Mist"}],
}
NAMES = ("sh010_0001_2k.png", "shot_v2.0014.exr", "0001.png", "a-0003_L.png", "x.mp4", "-12.png", "frame1.left.exr")
EVENT = Outcome(ending=Ending.REACHED, job_id=JOB_ID, status="completed", started=1.0, deadline=2.0).to_event()
RECORD = {
    "version": 1,
    "work": "ab",
    "content": "cd",
    "job_id": JOB_ID,
    "started": 1.0,
    "deadline": 2.0,
    "max_tries": 0,
}


def _name(chance: Chance) -> str:
    return chance.changed_text(chance.choice(NAMES)) if chance.random() < 0.7 else chance.choice(NAMES)


def _view(chance: Chance) -> str | None:
    return chance.choice((None, None, "left", "right", chance.text()))


def _range(chance: Chance) -> Any:
    return chance.choice(("1-10", "1-10:2", "7", "-5--1", chance.changed_text("1-24"), chance.value()))


def _count(chance: Chance) -> None:
    orders = [chance.choice(({"frameRanges": [_range(chance)]}, chance.changed(WHOLE_CONFIG), chance.value()))]
    files = [(_name(chance), _view(chance)) for _ in range(chance.choice((0, 1, 3, 8)))]
    nodes = [(*file, chance.choice((None, "Depth", chance.text()))) for file in files[:3]]
    analysis = chance.choice((None, ANALYSIS, chance.changed(ANALYSIS)))
    found = frames.count_frames(orders, files, analysis=analysis, composites=nodes)
    str(found), found.missing, found.complete, [gap.to_json() for gap in found.gaps]


def _ranges(chance: Chance) -> None:
    frames.ordered_frames(chance.choice(({"frameRanges": [_range(chance), _range(chance)]}, chance.value())))
    frames.expand(chance.changed_text("1-24:2"))


def _names(chance: Chance) -> None:
    names = [_name(chance) for _ in range(chance.choice((1, 2, 5)))]
    found = frame_names.read_numbers(names, {1, 2, 14}, view=_view(chance))
    [found.sequence(name) for name in found], frames.frame_number(names[0])
    frame_names.view_of(names[0], _view(chance), ["left", chance.text()])
    frame_names.padded(chance.randint(-99999, 99999))


def _orders(chance: Chance) -> None:
    ordered = chance.changed(WHOLE_CONFIG) if chance.random() < 0.3 else WHOLE_CONFIG
    job_order = chance.choice((chance.changed(WHOLE_CONFIG), str(chance.changed(WHOLE_CONFIG)), chance.value()))
    if isinstance(ordered, dict):
        order.compare(ordered, job_order)
        order.renders(ordered, job_order, chance.changed(JOB))


def _events(chance: Chance) -> None:
    event = chance.changed(EVENT) if chance.random() < 0.8 else chance.anything()
    try:
        Outcome.from_event(event).to_event()
    except Exception as error:
        is_secret_free(str(error))
        raise


def _records(chance: Chance) -> None:
    record = chance.changed(RECORD) if chance.random() < 0.8 else chance.anything()
    found = JobRecord.read(record)
    if found:
        found.extended(3.0, 4.0, 1), found.was_cleared(1)
    fingerprint(chance.value())


TARGETS = [
    Target("frame accounts", _count, share=6),
    Target("frame ranges", _ranges, share=6),
    Target("frame names", _names, share=8),
    Target("orders", _orders, share=4),
    Target("events", _events, share=8),
    Target("records", _records, share=6),
]
