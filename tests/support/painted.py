"""A renderer whose pictures differ from scene to scene, and the composite that is due of them.

The formulas are written here once more, in numpy, so that they can disagree with those of the DAGs.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.rendering import RenderedFile, RenderOrder

Pixels = np.ndarray


class PaintingRenderer(FastRenderer):
    """Draws what the fast renderer draws, and paints over it: noise that the scene's name decides.

    So each pixel of each frame of each layer is another, brighter than white in part, and
    half-transparent where the scene's film is.
    """

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        async for file in super().render(order):
            chance = np.random.default_rng([zlib.crc32(order.scene.stem.encode()), file.frame])
            paint(file.path, chance, transparent=order.report.film_transparent)
            yield file


def paint(path: Path, chance: np.random.Generator, *, transparent: bool) -> None:
    """Replace the pixels of a picture: its size, format, channels and depth stay."""
    spec = oiio.ImageBuf(str(path)).spec()
    linear = path.suffix == ".exr"
    pixels = chance.random((spec.height, spec.width, spec.nchannels), np.float32)
    if spec.nchannels == 4:
        if not transparent:
            pixels[..., 3] = 1
        if linear:  # colour is multiplied by alpha
            pixels[..., :3] *= 1.25 * pixels[..., 3:]
    out = oiio.ImageOutput.create(str(path))
    assert out, oiio.geterror()
    assert out.open(str(path), spec), out.geterror()
    assert out.write_image(pixels), out.geterror()
    assert out.close(), out.geterror()


def pixels_of(path: Path) -> Pixels:
    """The channels of a picture as they are in the file, as floats; whole numbers from 0 to 1."""
    picture = oiio.ImageInput.open(str(path))
    assert picture, oiio.geterror()
    pixels = picture.read_image("float")
    assert pixels is not None, picture.geterror()
    return pixels


def composite_due(layers: Mapping[str, Path], blends: Mapping[str, str]) -> Pixels:
    """The picture that EXR files make, from the bottom up, as sRGB shows it.

    Args:
        layers: the file of each layer.
        blends: by layer; by default `over`.
    """
    pictures = {layer: pixels_of(path).astype(np.float64) for layer, path in layers.items()}
    seen: Pixels | None = None
    for layer, picture in pictures.items():
        light, alpha = picture[..., :3], picture[..., 3:]
        if seen is None:
            seen = light
        elif blends.get(layer) == "add":
            seen = seen + light
        elif blends.get(layer) == "multiply":
            colour = np.divide(light, alpha, out=np.ones_like(light), where=alpha > 0)
            seen = alpha * (seen * colour) + (1 - alpha) * seen
        else:
            seen = light + (1 - alpha) * seen
    assert seen is not None
    return encoded(seen)


def encoded(light: Pixels) -> Pixels:
    """Light as sRGB stores it (IEC 61966-2-1); what is brighter than white is white."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
