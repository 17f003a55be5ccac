"""An emulated farm in the middle of a night of shots, each of 240 frames."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renderjuice_emulator.testing import Emulator, write_scene
from renderjuice_provider.api.client import RenderjuiceClient

FRAMES, SECONDS_PER_FRAME = 240, 30
SHARES = {
    "delivered": 120,
    "compositing": 10,
    "failed": 20,
    "rejected": 10,
    "rendering": 100,
    "validating": 10,
    "uploading": 10,
    "waiting": 20,
}
"""Of 300 shots, how many are in which state."""
_NO_JOB = {"uploading", "waiting"}
_OVER = {"delivered", "compositing", "failed"}
_STAGES = 10
"""Renders that run are this many groups: those of one are equally far."""
_CONFIG = {"colorManagementPreset": "default"}


@contextmanager
def farm(folder: Path, shots: int) -> Iterator[tuple[Emulator, list[dict[str, Any]]]]:
    """The emulator, and what `benchmarks.wall_seed` needs to know of each shot.

    Its time passes as on a clock, so a hundred renders have a new frame every half a minute, and
    none ends within the next twenty minutes.
    """
    with Emulator(speed=1) as emulator, RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        night = [_shot(client, folder, number, state) for number, state in enumerate(_states(shots))]
        emulator.clock.advance(10)  # until all are validated
        _start(client, [shot for shot in night if shot["state"] in _OVER])
        emulator.clock.advance((FRAMES + 2) * SECONDS_PER_FRAME)
        running = [shot for shot in night if shot["state"] == "rendering"]
        for group in range(_STAGES):
            _start(client, running[group::_STAGES])
            emulator.clock.advance(FRAMES * SECONDS_PER_FRAME * 0.8 / _STAGES)
        yield emulator, night


def _states(shots: int) -> list[str]:
    """In an order in which states are mixed, as they are in a night."""
    states = [state for state, count in SHARES.items() for _ in range(max(1, round(count * shots / 300)))]
    random.Random(7).shuffle(states)
    return states


def _shot(client: RenderjuiceClient, folder: Path, number: int, state: str) -> dict[str, Any]:
    shot = {"name": f"cit_{number * 10:04}_juice", "state": state, "frames": FRAMES, "job_id": ""}
    if state in _NO_JOB:
        return shot
    scene = write_scene(
        folder / f"{shot['name']}.blend",
        frame_end=FRAMES,
        seconds_per_frame=SECONDS_PER_FRAME,
        validation_seconds=1e6 if state == "validating" else 1,
        fail_at_frame=FRAMES - 40 if state == "failed" else None,
        resolution=(320, 180),
    )
    job = client.create_job(client.upload(scene).slug)
    client.validate_job(job.id)
    return shot | {"job_id": job.id}


def _start(client: RenderjuiceClient, shots: Sequence[dict[str, Any]]) -> None:
    for shot in shots:
        client.start_render(shot["job_id"], _CONFIG)
