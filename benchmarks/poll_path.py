"""The path of one poll: which of our functions, in which files, one poll of one job passes.

    python -m benchmarks.poll_path

The client is the blocking one, and has polled before, as it has in every
poll but the first. While a job renders, a poll reads its progress too, so that is listed as well.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import renderjuice_provider
from benchmarks.table import Row
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.lifecycle.job_poller import JobPoller, poll

_OURS = str(Path(renderjuice_provider.__file__).parent)
_EXPRESSIONS = {"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"}
"""Frames of their own for Python 3.11, but not for a reader: they are part of a function."""


MOST_FUNCTIONS, MOST_FILES = 35, 8


def rows(_: int) -> Iterator[Row]:
    """One row: the longer of the two paths."""
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        found = max(paths(emulator, Path(folder)).values(), key=len)
    files = len({file for file, _ in found})
    met = len(found) <= MOST_FUNCTIONS and files <= MOST_FILES
    goal = f"at most {MOST_FUNCTIONS} functions in {MOST_FILES} files"
    yield Row("path of one poll of one job", goal, f"{len(found)} in {files}", met)


def main() -> None:
    """Print the functions in the order in which they are first called, and how many there are."""
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        for status, functions in paths(emulator, Path(folder)).items():
            print(f"One poll of a job that is {status}:\n")
            for file, function in functions:
                print(f"  {file:<28}{function}")
            print(f"\n{len(functions)} functions in {len({file for file, _ in functions})} files\n")


def paths(emulator: Emulator, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """The functions of ours that one poll passes, by the status of the job.

    Each is given as its file and its name.
    """
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        scene = write_scene(folder / "shot.blend", frame_end=3, seconds_per_frame=1e6)
        job_id = client.create_job(client.upload(scene).slug).id
        now = time.time()
        job_poller = JobPoller(job_id, "completed", poll_interval=30, started=now, deadline=now + 3600)

        def once_it_is(status: str) -> list[tuple[str, str]]:
            _wait_until(lambda: client.get_job(job_id).status == status)
            client.run(poll(client.operations, job_poller))  # its log line is new, that of the next one is not
            return functions_passed(lambda: client.run(poll(client.operations, job_poller)))

        client.validate_job(job_id)
        found = {"validated": once_it_is("validated")}
        client.start_render(job_id, {"colorManagementPreset": "default"})
        found["rendering"] = once_it_is("rendering")
        client.cancel_job(job_id)
        return found


def functions_passed(work: Callable[[], Any]) -> list[tuple[str, str]]:
    """The functions of `renderjuice_provider` that `work` calls in this thread, each once."""
    codes: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_OURS):
            codes.setdefault(frame.f_code)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return [
        (str(Path(code.co_filename).relative_to(_OURS)), code.co_qualname)
        for code in codes
        if code.co_name not in _EXPRESSIONS
    ]


def _wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("The emulator did not come as far as this measure needs.")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
