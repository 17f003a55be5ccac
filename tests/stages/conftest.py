"""Small pictures of known colours, and shot lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import OpenImageIO as oiio
import pytest
from airflow.sdk.io import attach
from stages.shot_list import load_shot_list

Paint = Callable[..., Path]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """Writes a picture of one colour below `tmp_path`."""

    def write(
        name: str,
        colour: Sequence[float],
        size: tuple[int, int] = (32, 18),
        depth: str = "uint8",
        *,
        straight: bool = True,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        spec = oiio.ImageSpec(*size, len(colour), depth)
        if path.suffix == ".png" and straight:
            spec.attribute("oiio:UnassociatedAlpha", 1)
        image = oiio.ImageBuf(spec)
        oiio.ImageBufAlgo.fill(image, tuple(colour))
        assert image.write(str(path)), image.geterror()
        return path

    return write


@pytest.fixture
def sequence(paint: Paint, tmp_path: Path) -> Callable[..., Path]:
    """Writes `0001.png` and so on into a folder, and returns it."""

    def write(folder: str, frames: Sequence[int], colour: Sequence[float] = (0.8, 0.4, 0.1), **kwargs) -> Path:
        suffix = kwargs.pop("suffix", "png")
        for frame in frames:
            paint(f"{folder}/{frame:04d}.{suffix}", colour, **kwargs)
        return tmp_path / folder

    return write


@pytest.fixture(scope="session", autouse=True)
def object_store() -> None:
    """`memory://`, which stands for any object store: no renames, no folders."""
    attach("memory", fs=fsspec.filesystem("memory"))


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Any]:
    """Writes a list beside two scenes, and loads it."""
    for name in ("a.blend", "b.blend"):
        (tmp_path / name).touch()

    def load(text: str, name: str = "shots.yaml") -> Any:
        (tmp_path / name).write_text(text)
        return load_shot_list(str(tmp_path / name))

    return load
