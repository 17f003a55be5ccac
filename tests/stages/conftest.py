"""Small pictures of known colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import fsspec
import OpenImageIO as oiio
import pytest
from airflow.sdk.io import attach

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
