"""The scenes and the shot list of a night."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from renderjuice_emulator.testing import Emulator, write_scene

DAGS = Path(__file__).parents[2] / "dags"
DAG, SHOT_DAG = "renderjuice_nightly", "renderjuice_shot"
MISHAPS = "drop=5% damage=1% fail=3%"
SIZE = (32, 18)
FEWEST, MOST = 8, 24
"""Frames of a shot."""
_TWO_LAYERS = 0.25
"""The share of shots that have two."""
_FIRST = date(2026, 11, 1)


@dataclass(frozen=True)
class Shot:
    """One shot of a night."""

    name: str
    layers: tuple[str, ...]
    frames: int

    def files(self) -> dict[str, str]:
        """The scene of each layer, under a name of its own, by which the ledger knows it."""
        return {layer: f"{self.name}_{layer}.blend" for layer in self.layers}


@dataclass(frozen=True)
class Night:
    """One night: its number, counted from 1, is the seed of its luck."""

    number: int
    shots: tuple[Shot, ...]
    shares: str = MISHAPS
    """Of the emulator's mishaps."""

    @property
    def date(self) -> str:
        """Such as 2026-11-07."""
        return str(_FIRST + timedelta(days=self.number - 1))

    @property
    def mishaps(self) -> str:
        """For the emulator."""
        return f"{self.shares} seed={self.number}"


def plan(number: int, shots: int, shares: str = MISHAPS) -> Night:
    """The same shots each time."""
    chance = Random(number)
    return Night(
        number,
        tuple(
            Shot(
                f"n{number:02}_s{shot:02}",
                ("base", "over") if chance.random() < _TWO_LAYERS else ("base",),
                chance.randint(FEWEST, MOST),
            )
            for shot in range(1, shots + 1)
        ),
        shares,
    )


def write(night: Night, folder: Path, *, seconds_per_frame: float = 2.0) -> Path:
    """Write scenes and shot list into `folder`, and return the list."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for shot in night.shots:
        for layer, name in shot.files().items():
            write_scene(
                folder / name,
                frame_end=shot.frames,
                resolution=SIZE,
                film_transparent=layer == "over",
                seconds_per_frame=seconds_per_frame,
            )
        rows.append({"name": shot.name, "layers": shot.files()})
    path = folder / "shots.json"
    show = {"show": "nights", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": rows}
    path.write_text(json.dumps(show))
    return path


def environment(emulator: Emulator) -> dict[str, str]:
    """The connection that leads to the emulator."""
    renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    return {"AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice)}


def params(shot_list: Path, night: Night) -> dict[str, Any]:
    """All of the nightly DAG."""
    folder = shot_list.parents[1]
    return {
        "shot_list": str(shot_list),
        "date": night.date,
        "destination": str(folder / "deliveries"),
        "work": str(folder / "work"),
        "shots": [],
        "failed_only": False,
        "quality": "auto",
        "dry_run": False,
    }


def summary(night: Night, folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of a night's summary, by shot."""
    text = (folder / "deliveries" / "nights" / night.date / "summary.json").read_text()
    found: dict[str, dict[str, Any]] = json.loads(text)["shots"]
    return found
