"""A night to look at, with as many shots as are wanted: summaries, manifests and contact sheets."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

NIGHT = "2026-11-26"
EARLIER = ("2026-11-25", "2026-11-24", "2026-11-23", "2026-11-22", "2026-11-21")
NAMES = ("juice", "citrus", "ice", "label", "pour", "splash", "table", "hand", "street", "kitchen")
SEQUENCES = ("cit", "bar", "sun", "end")
REASONS = (
    "RENDER_ERROR: frame 14 could not be rendered: CUDA out of memory (needed 11.2 GB, 9.8 GB were free)",
    "after three rounds frames 7, 19-21 of layer base are still missing",
    "Renderjuice answers 402: the account has no render seconds left",
)


def sample_night(destination: Path, shots: int, *, noise: bool = False) -> Path:
    """Write `shots` shots of a night, and the five nights before it, below `destination`.

    Args:
        destination: of the deliveries.
        shots: how many.
        noise: contact sheets that no JPEG can make small.
    """
    rnd = random.Random(7)
    entries = [_entry(destination, rnd, number, shots, noise=noise) for number in range(shots)]
    write_summary(destination, NIGHT, entries)
    for night in EARLIER:
        write_summary(destination, night, [_earlier(rnd, entry) for entry in entries if rnd.random() < 0.7])
    return destination


def write_summary(destination: Path, night: str, entries: list[dict[str, Any]]) -> Path:
    """Write a night's `summary.json`."""
    path = destination / "nights" / night / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"night": night, "shots": {entry["shot"]: entry for entry in entries}}))
    return path


def _entry(destination: Path, rnd: random.Random, number: int, shots: int, *, noise: bool) -> dict[str, Any]:
    sequence = SEQUENCES[number * len(SEQUENCES) // max(shots, len(SEQUENCES))]
    shot = f"{sequence}_{10 * (number + 1):04}_{NAMES[number % len(NAMES)]}"
    layers = ["sky", "base", "over"][: 1 + number % 3]
    frames = rnd.choice((24, 48, 120, 250))
    entry: dict[str, Any] = {
        "shot": shot,
        "show": "citrus",
        "sequence": sequence,
        "layers": layers,
        "run_id": f"{shot}__{number:08x}__{NIGHT}",
        "frames_ordered": frames * len(layers),
        "frames_rendered": frames * len(layers) + number % 5,
        "rounds": 1 + (number % 7 == 3),
        "settings": "final" if number % 6 == 0 else "economical",
        "spent": {f"job-{number}-{layer}": round(frames * rnd.uniform(1.5, 3), 1) for layer in layers},
    }
    likely = sum(entry["spent"].values()) * rnd.uniform(0.85, 1.1)
    quote = {"likely": likely, "least": likely * 0.85, "most": likely * 1.15, "source": "history"}
    entry |= {"quote": quote, "share": quote["most"], "ceiling": 900.0 * shots}
    entry["jobs"] = {
        job: {"layer": layer, "frames": frames, "again": 5 * (number % 7 == 3)}
        for job, layer in zip(entry["spent"], layers, strict=True)
    }
    kind = number % 20 if shots > 4 else (0, 5, 11, 2)[number]
    if kind in {5, 15}:
        return {"shot": shot, "state": "rejected", "reason": "no usable camera; textures/label.png is missing"}
    if kind == 11:
        entry["spent"][f"job-{number}-{layers[0]}"] = None
        return entry | {"state": "failed", "task": "render", "reason": REASONS[number % len(REASONS)]}
    if kind == 7:
        why = (
            f"its render may cost {quote['most']:,.0f} s, and 12 s of the ceiling of {entry['ceiling']:,.0f} s are left"
        )
        held = {name: value for name, value in entry.items() if name not in {"spent", "jobs", "share", "rounds"}}
        return held | {"state": "held", "reason": why, "frames_ordered": 0}
    if kind in {8, 18, 19}:
        return {"shot": shot, "state": "skipped", "reason": "unchanged since its delivery of 2026-11-24"}
    folder = destination / "shots" / shot / f"{number:08x}aaaaaaaa"
    folder.mkdir(parents=True)
    if number % 50 != 49:
        _sheet(folder / "contact_sheet.png", rnd, destination / "noise.png" if noise else None)
    place = {"movie": f"{folder}/{shot}.mp4", "manifest": f"{folder}/manifest.json"}
    size = {"width": 1920, "height": 1080, "fps": 24.0}
    lost = [{"layer": layers[-1], "node": "Depth", "frames": [3, 4, 5]}] if kind == 2 else []
    done = {"state": "delivered", "frames": frames, "version": folder.name, "complete": not lost, "missing": lost}
    return entry | done | place | size | {"contact_sheet": f"{folder}/contact_sheet.png"}


def _earlier(rnd: random.Random, entry: dict[str, Any]) -> dict[str, Any]:
    """The same shot some nights ago: another range, another price."""
    if entry["state"] != "delivered":
        return {name: value for name, value in entry.items() if name != "spent"} | {"render_seconds": 0.0}
    frames = rnd.choice((24, 48, 120))
    layers = entry["layers"]
    spent = {f"old-{layer}": round(frames * rnd.uniform(1.7, 2.6), 1) for layer in layers}
    count = frames * len(layers)
    return entry | {"frames": frames, "spent": spent, "frames_ordered": count, "frames_rendered": count, "rounds": 1}


def _sheet(path: Path, rnd: random.Random, noise: Path | None) -> None:
    """Twelve frames in which a ball crosses the evening, or the noise of a file."""
    if noise and noise.exists():
        shutil.copy(noise, path)
        return
    import numpy as np
    import OpenImageIO as oiio

    width, height, gap = 240, 135, 8
    sheet = np.full((2 * (height + gap) + gap, 6 * (width + gap) + gap, 3), 0.08, np.float32)
    down, across = np.mgrid[0:height, 0:width]
    sky, ball = np.array([rnd.random() for _ in range(3)]), np.array([rnd.random() for _ in range(3)])
    for frame in range(12):
        cell = (sky * (0.25 + 0.75 * down / height)[..., None]).astype(np.float32)
        middle = 20 + frame * (width - 40) / 11, height / 2 + 30 * np.sin(frame)
        cell[(across - middle[0]) ** 2 + (down - middle[1]) ** 2 < 500] = ball
        row, column = divmod(frame, 6)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = cell
    if noise:
        sheet = np.random.default_rng(7).random(sheet.shape, np.float32)
    picture = oiio.ImageBuf(sheet)
    if not picture.write(str(path), "uint8"):
        raise OSError(picture.geterror())
    if noise:
        shutil.copy(path, noise)
