"""`python -m proofs.frames`: how many spoiled frames are found, and how many good ones suspected.

Blender renders twelve shots that pan, cut, fade, flicker, stand still and move fast, once. Then in
each round one frame of a hundred is spoiled in one of twelve ways. Exits with 1 if fewer than 99
of 100 are found, or more than 5 good frames of 1,000 are suspected.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import OpenImageIO as oiio

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".run" / "frames"
BLENDER = ROOT / ".venv-blender" / "bin" / "python"
RECALL, FALSE_ALARMS = 0.99, 0.005


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.frames", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="(%(default)s)")
    options = parser.parse_args()
    sys.path.append(str(ROOT / "dags"))
    _render()
    shots = {folder.name: sorted(folder.iterdir()) for folder in sorted(FOLDER.iterdir())}
    spoiled, missed, suspected, good = _rounds(shots, options.rounds)
    recall = 1 - missed.total() / spoiled.total()
    alarms = suspected.total() / good
    print(
        f"{sum(map(len, shots.values()))} frames, {options.rounds} rounds: {spoiled.total()} spoiled, recall {recall:.4f}"
    )
    print(f"{suspected.total()} of {good} good frames were suspected: {alarms:.4%}")
    for kind, count in sorted(spoiled.items()):
        print(f"  {kind}: {count - missed[kind]} of {count}")
    print(f"good ones, by shot: {dict(suspected)}")
    print(f"processor time for a full HD PNG: {_milliseconds():.1f} ms")
    sys.exit(recall < RECALL or alarms > FALSE_ALARMS)


def _render() -> None:
    """With Blender, what is not there yet."""
    scenes = Path(__file__).with_name("scenes.py")
    running = [
        subprocess.Popen([BLENDER, scenes, FOLDER, str(part), "2"], stdout=subprocess.DEVNULL) for part in (0, 1)
    ]
    if any(program.wait() for program in running):
        sys.exit("Blender has failed: make blender installs it")


def _rounds(shots: Mapping[str, Sequence[Path]], rounds: int) -> tuple[Counter[str], Counter[str], Counter[str], int]:
    from stages.frame_check import judge
    from stages.frame_looks import look_at

    from proofs.frames.defects import KINDS, spoil

    looks = {name: [look_at(frame) for frame in frames] for name, frames in shots.items()}
    spoiled, missed, suspected, good = Counter[str](), Counter[str](), Counter[str](), 0
    for number in range(rounds):
        chance = Random(number)
        for name, frames in shots.items():
            changed, kinds = list(looks[name]), {}
            with TemporaryDirectory() as folder:
                for _ in range(round(len(frames) / 100)):
                    place, kind = chance.randrange(len(frames)), chance.choice(KINDS)
                    copy = spoil(kind, frames, place, Path(folder), chance)
                    if copy is not None:
                        changed[place], kinds[place] = look_at(copy), kind
            found = judge(changed)
            spoiled.update(kinds.values())
            missed.update(kind for place, kind in kinds.items() if place not in found)
            suspected.update({name: len(found.keys() - kinds.keys())})
            good += len(frames) - len(kinds)
    return spoiled, missed, suspected, good


def _milliseconds() -> float:
    """Processor time of one look at a full HD PNG with grain, as a render has it."""
    from stages.frame_looks import look_at

    random = np.random.default_rng(1)
    rows, columns = np.mgrid[0:1080, 0:1920]
    shade = np.stack([rows / 1080, columns / 1920, (rows + columns) / 3000], axis=2)
    pixels = ((shade + random.normal(0, 0.004, shade.shape)).clip(0, 1) * 255).astype(np.uint8)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        file: Any = oiio.ImageOutput.create(str(path))
        file.open(str(path), oiio.ImageSpec(1920, 1080, 3, "uint8"))
        file.write_image(pixels)
        file.close()
        look_at(path)
        before = time.process_time()
        for _ in range(10):
            look_at(path)
        return (time.process_time() - before) * 100


if __name__ == "__main__":
    main()
