"""Waiting for a record that another process writes down, with one look for all that wait."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from renderjuice_provider.triggers import records
from renderjuice_provider.triggers.records import RenderjuiceRecordTrigger


def trigger(folder: Path, name: str = "a", **more: Any) -> RenderjuiceRecordTrigger:
    arguments: dict[str, Any] = {"poll_interval": 0.02, "look_after": 60.0} | more
    return RenderjuiceRecordTrigger(
        folder=str(folder), path=["shots", name, "state"], while_in=["planned", "waiting"], **arguments
    )


def write(folder: Path, number: int, **states: str) -> None:
    folder.mkdir(exist_ok=True)
    content = {"shots": {name: {"state": state} for name, state in states.items()}}
    (folder / f"{number:06d}.json").write_text(json.dumps(content))


def wait(*triggers: RenderjuiceRecordTrigger, meanwhile: Any = None) -> list[Any]:
    async def all_of_them() -> list[Any]:
        waits = [asyncio.ensure_future(anext(each.run())) for each in triggers]
        if meanwhile:
            await asyncio.sleep(0.1)
            meanwhile()
        return [event.payload["value"] for event in await asyncio.wait_for(asyncio.gather(*waits), 20)]

    return asyncio.run(all_of_them())


def test_it_fires_when_the_newest_record_has_another_value(tmp_path: Path) -> None:
    folder = tmp_path / "shares"
    write(folder, 1, a="given")
    write(folder, 2, a="waiting")

    assert wait(trigger(folder), meanwhile=lambda: write(folder, 3, a="held")) == ["held"]


def test_all_that_wait_for_a_folder_share_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, looks = tmp_path / "shares", []
    write(folder, 1, a="waiting", b="waiting")
    newest = records._newest
    monkeypatch.setattr(records, "_newest", lambda place: looks.append(place) or newest(place))
    names = ["a", "b"] * 50

    found = wait(*(trigger(folder, name) for name in names), meanwhile=lambda: write(folder, 2, a="given", b="held"))

    assert found == ["given", "held"] * 50
    assert len(looks) < 20, "of a hundred that wait"


def test_one_of_all_that_wait_is_fired_to_look_when_nothing_has_changed_for_long(tmp_path: Path) -> None:
    folder = tmp_path / "shares"
    write(folder, 1, a="waiting", b="waiting")

    async def first() -> Any:
        waits = [asyncio.ensure_future(anext(trigger(folder, name, look_after=0.2).run())) for name in ("a", "b")]
        done, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        for each in left:
            each.cancel()
        return [each.result().payload["value"] for each in done]

    assert asyncio.run(first()) == ["look"]


def test_a_folder_that_cannot_be_read_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"

    assert wait(trigger(folder), meanwhile=lambda: write(folder, 1, a="given")) == ["given"]


def test_its_arguments_are_those_that_it_was_given(tmp_path: Path) -> None:
    path, arguments = trigger(tmp_path).serialize()

    assert path == "renderjuice_provider.triggers.records.RenderjuiceRecordTrigger"
    assert RenderjuiceRecordTrigger(**arguments).serialize() == (path, arguments)
