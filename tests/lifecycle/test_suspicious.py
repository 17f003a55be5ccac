"""A suspicious frame is rendered once more, whatever dies, and never a third time."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from renderjuice_provider.api._flow import FetchFile
from renderjuice_provider.api.errors import RenderjuiceIncompleteError, RenderjuiceInputError
from renderjuice_provider.lifecycle.course import Past
from renderjuice_provider.lifecycle.rounds import Rounds
from renderjuice_provider.operators._frame_folder import FilesOfFrames
from tests.support.farm import Died
from tests.support.flow_driver import operations_of
from tests.support.frames_farm import FramesFarm, RoundsTask
from tests.support.rounds import both_ways, ordered


class OddFarm(FramesFarm):
    """Some of its frames look wrong: pairs of a job, counted from 0, and a frame."""

    odd: frozenset[tuple[int, int]] = frozenset()

    def __call__(self, step: Any) -> Any:
        response = super().__call__(step)
        if isinstance(step, FetchFile):
            _, number, frame = step.url.rsplit("/", 2)
            if (int(number), int(frame)) in self.odd:
                step.partial_file.write_bytes(f"odd {number}".encode())
        return response


class LookingTask(RoundsTask):
    """Looks at its frames."""

    def process(self, order: Any) -> Rounds:
        past = Past(self.stored, self.is_kept, self.max_tries)
        folder = FilesOfFrames(str(self.farm.folder), is_whole, looks_wrong)
        return Rounds(order, self.rounds, self.run_id, past, folder, operations_of(self.clock), self.log)


def is_whole(path: Path) -> bool:
    return path.read_bytes() == b"whole" or path.read_bytes().startswith(b"odd")


def looks_wrong(paths: list[Path]) -> dict[Path, str]:
    return {path: "it is black" for path in paths if path.read_bytes().startswith(b"odd")}


def farm(folder: Path, odd: set[tuple[int, int]], **options: Any) -> OddFarm:
    made = OddFarm(folder, **options)
    made.odd = frozenset(odd)
    return made


def content(made: FramesFarm, frame: int) -> bytes:
    return (made.folder / f"frames/{frame:04d}.png").read_bytes()


@both_ways
def test_a_cut_at_any_step_renders_a_suspicious_frame_once_more(shot, tmp_path, deferred):
    odd = {(0, 2), (0, 5), (1, 5), (2, 5)}
    undisturbed = LookingTask(farm(tmp_path / "whole", odd), deferred=deferred)
    end = undisturbed.run(shot)
    assert ordered(undisturbed.farm) == [["1-6"], ["2", "5"]]
    for cut in range(1, undisturbed.steps + 1):
        for after in (False, True):
            task = LookingTask(farm(tmp_path / f"{cut}-{after}", odd), deferred=deferred)
            with suppress(Died):
                task.run(shot, cut, after=after)
            found = task.run(shot)
            assert ordered(task.farm) == ordered(undisturbed.farm)
            assert (found.remarks, found.again) == (end.remarks, end.again)
            assert (content(task.farm, 2), content(task.farm, 5)) == (b"whole", b"odd 1")
            assert task.farm.in_vain == []


def test_another_run_does_not_fetch_the_suspicious_frame_from_the_job_that_it_came_from(shot, tmp_path):
    first = LookingTask(farm(tmp_path, {(0, 2)}))
    with suppress(Died):
        first.run(shot, cut_after_set_aside(first, shot, tmp_path))
    second = LookingTask(first.farm, run_id="another night")
    found = second.run(shot)
    assert (found.again, found.remarks) == (("frames/0002.png",), {})
    assert content(second.farm, 2) == b"whole"
    assert ordered(second.farm) == [["1-6"], ["2"]]


def cut_after_set_aside(task: LookingTask, shot: Any, folder: Path) -> int:
    """The step after which the frame is aside, and nothing was ordered for it."""
    twin = LookingTask(farm(folder.with_name("twin"), {(0, 2)}))
    for cut in range(1, 1000):
        with suppress(Died):
            twin = LookingTask(farm(folder.with_name(f"twin-{cut}"), {(0, 2)}))
            twin.run(shot, cut)
        if (twin.farm.folder / "suspicious/frames/0002.png").exists():
            assert len(twin.farm.renders) == 1
            return cut
    raise AssertionError("it is never set aside")


def test_a_frame_that_is_missing_beside_one_that_is_aside_is_named_alone(shot, tmp_path):
    made = farm(tmp_path, {(0, 2)}, lost={(1, 2), (2, 2)})
    task = LookingTask(made)
    found = task.run(shot)
    assert list(found.remarks) == ["frames/0002.png"]
    (made.folder / "frames/0003.png").unlink()
    made.lost |= {(job, 3) for job in range(9)}
    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 3 of"):
        task.run(shot)


def test_a_job_that_fails_while_it_renders_a_suspicious_frame_again_spoils_no_delivery(shot, tmp_path):
    found = LookingTask(farm(tmp_path, {(0, 2)}, failing={1, 2})).run(shot)
    assert found.count.complete
    assert found.remarks == {"frames/0002.png": "it is black; not rendered again: all rounds are used"}


def test_a_list_of_suspicious_frames_that_cannot_be_read_is_an_error_before_anything_is_paid(shot, tmp_path):
    tmp_path.joinpath("suspicious.json").write_text(json.dumps({"frames/0002.png": {"reason": 1}}))
    task = LookingTask(farm(tmp_path, set()))
    with pytest.raises(RenderjuiceInputError, match=r"suspicious\.json cannot be read"):
        task.run(shot)
    assert task.farm.renders == []
