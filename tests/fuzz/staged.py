"""The stages of the example DAGs: lists, analyses, damaged pictures, folders of odd names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from stages import bulk, composite, decisions, delivery, movie, orders, pictures, planning, shot_list, summary

from tests.fuzz.holds import is_stored
from tests.fuzz.inputs import JOB_ID, Chance
from tests.fuzz.measure import Target

_FOLDER = Path(mkdtemp(prefix="renderjuice-fuzz-"))
_LONGEST_LIST = 50_000
"""Characters: some hundreds of shots. PyYAML reads 200,000 in a second."""
LIST = {
    "show": "Juice",
    "layers": ["base", "over", "glow"],
    "defaults": {"fps": 24, "render": {"colorManagementPreset": "default"}},
    "shots": [
        {"name": "sh010", "file": "a.blend", "frames": "1-24", "priority": 60, "hero": True},
        {
            "name": "sh020",
            "sequence": "one",
            "layers": {"base": "a.blend", "over": "b.blend", "glow": {"file": "b.blend", "blend": "add"}},
            "frames": ["1-3", 7],
            "render": {"fps": 25},
        },
    ],
}
YAML = """\
show: Juice
defaults: &d
  fps: 24
  render: {colorManagementPreset: default}
shots:
  - name: sh010
    file: a.blend
    frames: 1-24
  - name: sh020
    layers: {base: a.blend, over: b.blend, glow: {file: b.blend, blend: add}}
    frames: [1-3, 7]
    render: {sampleCount: 64, outputSettings: {colorDepth: 16}}
"""
ORDER: dict[str, Any] = {
    "shot": "sh010",
    "files": {"base": "a.blend", "over": "b.blend"},
    "frames": None,
    "fps": None,
    "hero": False,
    "quality": "auto",
    "render": {"colorManagementPreset": "default"},
}
ANALYSIS = {
    "engine": "CYCLES",
    "cameras": ["Camera"],
    "frameStart": 1,
    "frameEnd": 24,
    "frameStep": 1,
    "resolution": [1920, 1080],
    "resolutionPercentage": 100,
    "samples": 64,
    "fps": 24.0,
    "filmTransparent": True,
    "views": [],
    "missingFiles": [],
}
NIGHT = "2026-11-23"
FAILED = {
    "shot": "sh010",
    "state": "failed",
    "reason": "frame 2",
    "order": {"shot": "sh010", "files": {"base": "gone.blend"}, "content": {"base": "0"}, "work": str(_FOLDER)},
    "decision": {"frames": ["1-3"], "jobs": {"base": JOB_ID}, "configs": {"base": {"sampleCount": 8}}},
    "spent": {JOB_ID: 3.0},
}
DELIVERED = {
    "shot": "sh020",
    "state": "delivered",
    "frames": 3,
    "movie": "m.mp4",
    "missing": [{"layer": "base", "node": "Depth", "frames": [2]}],
}
SHOT = shot_list.ListedShot(
    name="sh010",
    show="Juice",
    files={"base": str(_FOLDER / "a.blend")},
    frames=["1-3"],
    fps=None,
    priority=50,
    hero=False,
    render={"colorManagementPreset": "default"},
)
(_FOLDER / "a.blend").write_bytes(b"BLENDER")
(_FOLDER / "b.blend").write_bytes(b"BLENDER")


def _lists(chance: Chance) -> None:
    way = chance.random()
    text = chance.changed_text(YAML) if way < 0.5 else json.dumps(chance.changed(LIST)) if way < 0.9 else chance.text()
    shots, problems = shot_list.check_shot_list(text[:_LONGEST_LIST], str(_FOLDER))
    for shot in shots:
        assert not any("/" in name for name in (shot.name, shot.sequence, *shot.files))
        assert next(iter(shot.files)) not in shot.blends
    for problem in problems:
        assert str(problem)


def _list_files(chance: Chance) -> None:
    path = _FOLDER / "shots.yaml"
    path.write_bytes(chance.changed_bytes(YAML.encode()))
    shot_list.load_shot_list(str(path))


def _decide(chance: Chance) -> None:
    found = {
        layer: {"job_id": JOB_ID, "analysis": chance.changed(ANALYSIS) if chance.random() < 0.9 else chance.value()}
        for layer in ORDER["files"]
    }
    more = {"frames": chance.choice((None, ["1-24"])), "blends": chance.choice(({}, {"over": "add"}))}
    branch = decisions.decide(ORDER | more, found)
    assert branch["branch"] in {"reject", "final", "economical"}
    json.dumps(branch)


def _plan(chance: Chance) -> None:
    planning.names_of([chance.text(), chance.text()])
    orders.night_of(datetime(2026, 1, 1, tzinfo=UTC), "Europe/Berlin")
    decisions.frame_ranges(decisions.frame_numbers([chance.changed_text("1-24"), "3"]))
    orders.date_of(chance.changed_text("2026-11-23"))


def _deliveries(chance: Chance) -> None:
    """What is in a delivery's folder may be half written, or by somebody else."""
    folder = _FOLDER / "delivery"
    folder.mkdir(exist_ok=True)
    pointer = {"version": "v1", "fingerprint": "ab", "manifest": "v1/manifest.json"}
    (folder / "current.json").write_bytes(chance.body(pointer))
    found = delivery.current_delivery(str(folder))
    assert found is None or isinstance(found, Mapping)


def _summaries(chance: Chance) -> None:
    """So may the summary of a night, and the entry of a shot, which say what is started again."""
    path = _FOLDER / "nights" / NIGHT / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chance.body({"night": NIGHT, "shots": {"sh010": FAILED, "sh020": DELIVERED}}))
    if chance.random() < 0.5:
        (path.parent / "shots").mkdir(exist_ok=True)
        (path.parent / "shots" / "sh010.json").write_bytes(chance.body(FAILED))
        places = {"destination": str(_FOLDER), "work": str(_FOLDER)}
        params = {"shots": (), "quality": "auto", "failed_only": chance.random() < 0.5, **places}
        planning.plan_night([SHOT], [], params, NIGHT, "scheduled__1")
    else:
        summary.keep(str(_FOLDER), NIGHT, [DELIVERED])


@cache
def _pictures() -> list[tuple[str, bytes]]:
    import OpenImageIO as oiio

    found = []
    for suffix in (".png", ".exr", ".jpg", ".tif", ".bmp", ".tga", ".webp", ".hdr", ".dpx"):
        path = _FOLDER / f"picture{suffix}"
        kind = oiio.HALF if suffix == ".exr" else oiio.FLOAT if suffix == ".hdr" else oiio.UINT8
        image = oiio.ImageBuf(oiio.ImageSpec(24, 16, 3, kind))
        oiio.ImageBufAlgo.noise(image, "uniform", 0.0, 1.0)
        if image.write(str(path)):
            found.append((suffix, path.read_bytes()))
    return found


def _damaged(chance: Chance) -> None:
    suffix, data = chance.choice(_pictures())
    path = _FOLDER / f"damaged{suffix}"
    path.write_bytes(chance.changed_bytes(data))
    # One of them for each input: its limit of time is for one call, and some damage makes millions
    # of pixels.
    uses = (
        pictures.is_whole,
        pictures.is_linear,
        pictures.read_picture,
        lambda path: composite.composite_frame([path]),
    )
    chance.choice(uses)(path)


def _rates(chance: Chance) -> None:
    rate = chance.number() if chance.random() < 0.5 else chance.uniform(0.001, 300)
    assert movie.movie_rate(rate) > 0


def _folders(chance: Chance) -> None:
    root = os.fsencode(mkdtemp(dir=_FOLDER))
    try:
        for _ in range(chance.choice((0, 1, 3))):
            name = chance.changed_text("shot.blend").encode(errors="surrogatepass")
            if chance.random() < 0.3:
                name = chance.changed_bytes(name)
            safe = name.replace(b"/", b"_").replace(b"\0", b"_")[:200]
            if safe.strip(b"."):
                (Path(os.fsdecode(root)) / os.fsdecode(safe)).write_bytes(b"BLENDER")
        is_stored(bulk.scene_arguments(os.fsdecode(root), {"colorManagementPreset": "default"}))
    finally:
        shutil.rmtree(root)


TARGETS = [
    Target("shot lists", _lists, words=True, share=3),
    Target("shot list files", _list_files, words=True, share=1),
    Target("decisions", _decide, words=True, share=6),
    Target("planning", _plan, words=True, share=6),
    Target("deliveries", _deliveries, words=True, share=2),
    Target("summaries", _summaries, words=True, share=2),
    Target("pictures", _damaged, words=True, share=3),
    Target("movie rates", _rates, words=True, share=6),
    Target("bulk names", _folders, words=True, share=1),
]
