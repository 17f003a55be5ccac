"""The demo's scenes.

One for the quickstart, and five shots of a night in which not everything goes well.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from renderjuice_emulator.blender import find_blender
from renderjuice_emulator.scenes import write_scene

SCRIPT = Path(__file__).parent.parent / "dags" / "scenes" / "build_scene.py"
FRAMES = 12
UNLUCKY, LOST_AT = "ice.blend", 7
"""The scene whose first render loses its worker, and the frame at which that happens."""
SCENES: dict[str, Sequence[str]] = {
    "juice": ["--shot", "juice"],
    "citrus": ["--shot", "citrus", "--no-camera"],
    "ice": ["--shot", "ice"],
    "label_base": ["--shot", "label", "--layer", "background"],
    "label_over": ["--shot", "label", "--layer", "foreground"],
    "cube": ["--shot", "cube"],
}
SHOT_LIST = """\
show: citrus
defaults:
  fps: 12
  render: {colorManagementPreset: default}
shots:
  - name: cit_010_juice # changes nothing from the quickstart's scene: one layer, straight to delivery
    file: juice.blend
  - name: cit_020_citrus # has no camera: validation finds out, and the shot is rejected
    file: citrus.blend
  - name: cit_030_ice # its first render loses its worker: a second round renders what is missing
    file: ice.blend
  - name: cit_040_label # two jobs, composited
    layers: {base: label_base.blend, over: label_over.blend}
  - name: cit_050_cube # what Blender starts with, and every artist
    file: cube.blend
"""


def build_scenes(folder: Path, broken: Collection[str] = ()) -> str:
    """Build every scene and write `shots.yaml` beside them.

    Args:
        folder: where.
        broken: scenes that fail from their middle on, however often they are rendered.

    Returns:
        What builds them: a Blender, or nothing but their outlines.
    """
    folder.mkdir(parents=True)
    (folder / "shots.yaml").write_text(SHOT_LIST)
    blender = find_blender()
    if blender is None:
        _outline(folder, broken)
        return ""
    for name, options in SCENES.items():
        command = [*_in_blender(blender[0]), str(folder / f"{name}.blend"), "--frames", str(FRAMES), *options]
        command += ["--fails"] if name in broken else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not (folder / f"{name}.blend").exists():
            sys.exit(f"The scene {name} could not be built:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return blender[0]


def _in_blender(blender: str) -> list[str]:
    """The command that runs the scene script: in a Python that has bpy, or inside a Blender."""
    if Path(blender).name.startswith("python"):
        return [blender, str(SCRIPT)]
    return [blender, "--background", "--factory-startup", "--python", str(SCRIPT), "--"]


def _outline(folder: Path, broken: Collection[str]) -> None:
    """For the fast renderer, which invents the pictures."""
    for name, options in SCENES.items():
        write_scene(
            folder / f"{name}.blend",
            frame_end=FRAMES,
            cameras=() if "--no-camera" in options else ("Camera",),
            fail_at_frame=FRAMES // 2 if name in broken else None,
            film_transparent="foreground" in options,
        )
