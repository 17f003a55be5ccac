"""The frames of a row as its contact sheet shows them. Pure.

While a job renders, Renderjuice says how many of its frames are done, and not which: the sheet is
filled with the previews that were seen after each of them. When it is over, they are the frames
themselves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderjuice_provider.api._paths import output_name
from renderjuice_provider.api.models import Downloads, Job, OutputFile
from renderjuice_provider.api.redact import redact
from renderjuice_provider.frames import count_frames, padded, read_numbers
from renderjuice_provider.wall._picture_folder import PictureKey
from renderjuice_provider.wall._seen_jobs import SeenJob
from renderjuice_provider.wall.models import Frame

MOST = 2000
"""Frames on a sheet; of more, the first."""
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Sheet:
    """The frames of a job that is over.

    Attributes:
        frames: by number and view, those that are missing among them.
        urls: of their files, which are signed, by the names of their keys.
        last: the name of the newest one's key; None where there is no frame.
    """

    frames: tuple[Frame, ...]
    urls: Mapping[str, str]
    last: str | None


def finished_sheet(job: Job, downloads: Downloads) -> Sheet:
    """The sheet of a job that is over, as far as it has come."""
    files = list(downloads.frame_files)[:MOST]
    names = {id(file): output_name(file) for file in files}
    orders = (job.final_config, job.requested_config)
    count = count_frames(orders, ((names[id(file)], file.view) for file in files), analysis=job.analysis)
    numbers = _numbers(files, names, count.requested or ())
    job_id = job.id.lower()
    found: dict[tuple[int, str, str], Frame] = {}
    urls: dict[str, str] = {}
    for file in files:
        name, view = names[id(file)], file.view or ""
        number = numbers.get(id(file))
        key = PictureKey(job_id, "f" + hashlib.sha256(f"{view}\0{name}\0{len(urls)}".encode()).hexdigest()[:16])
        urls[key.name] = file.url
        place = (number if number is not None else 1 << 40, view, name)
        found[place] = Frame(name=_label(number, view, name), picture=str(key), state="done")
    for gap in count.gaps if count.requested is not None else ():
        for number in gap.frames[:MOST]:
            view = gap.view or ""
            found.setdefault((number, view, ""), Frame(name=_label(number, view), state="missing"))
    places = sorted(found)
    last = next((found[place].picture for place in reversed(places) if found[place].picture), None)
    return Sheet(tuple(found[place] for place in places), urls, last.rpartition(".")[2] if last else None)


def growing_sheet(job: SeenJob, previews: Collection[int]) -> list[Frame]:
    """The sheet of a job that is not over.

    Args:
        job: with its counters.
        previews: after how many frames there are pictures of it here. Its newest one can be had.
    """
    done = job.done or 0
    previews = {*previews, done} if job.has_preview else previews
    total = min(max(job.total or 0, done), MOST)
    return [
        Frame(
            name=f"after {number}",
            picture=str(PictureKey(job.job_id, f"a{number}")) if number in previews else None,
            state="done" if number <= done else "waiting",
        )
        for number in range(1, total + 1)
    ]


def one_sheet(sheets: Sequence[Sequence[Frame]]) -> list[Frame]:
    """The sheets of a row's jobs on one, the older job's before.

    What a later job has rendered is not missing, and what may come yet is not either.
    """
    frames: dict[str, Frame] = {}
    for sheet in sheets:
        for frame in sheet:
            if frame.picture or frame.name not in frames:
                frames[frame.name] = frame
    goes_on = any(frame.state == "waiting" for frame in frames.values())
    return [frame for frame in frames.values() if not (goes_on and frame.state == "missing")]


def _numbers(files: Sequence[OutputFile], names: Mapping[int, str], wanted: Collection[int]) -> dict[int, int]:
    """The frame of each file, by the file's identity."""
    by_view: dict[str | None, list[OutputFile]] = defaultdict(list)
    for file in files:
        by_view[file.view].append(file)
    found: dict[int, int] = {}
    for view, of_view in by_view.items():
        read: Mapping[str, Any] = read_numbers([names[id(file)] for file in of_view], wanted, view=view)
        found |= {id(file): read[names[id(file)]] for file in of_view if names[id(file)] in read}
    return found


def _label(number: int | None, view: str, name: str = "") -> str:
    if number is None:
        return redact(name, longest=_LONGEST_NAME)
    return f"{padded(number)} {redact(view, longest=_LONGEST_NAME)}".rstrip()
