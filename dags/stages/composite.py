"""Layers over each other, from what was rendered to what is seen: with OpenImageIO, which does all the work on pixels.

Two kinds of pictures come in:

- **scene-linear** (`.exr`): light as Blender computed it, in linear Rec.709, its working space. It is laid over in that space,
  then goes through an OCIO display transform to sRGB.
- **display-referred** (`.png`, `.jpg`, `.tif`): the artist's view transform is in the pixels already. sRGB's curve is taken off
  for the mixing and put on again after, so that a single layer leaves as it came, and nothing is tone-mapped twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renderjuice_provider.waiting.frames import frame_number

COLOUR_CONFIG = "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3"
"""OCIO's built-in configuration, by its full name: `default` changes with OpenImageIO, and a delivery should not. Also
independent of `$OCIO`, which may differ from worker to worker."""
DISPLAY = "sRGB - Display"
LINEAR = "Linear Rec.709 (sRGB)"
_COLORIMETRIC = "Un-tone-mapped"
VIEWS = {"default": _COLORIMETRIC, "aces": "ACES 1.0 - SDR Video"}
"""How scene-linear pictures are shown, by `colorManagementPreset`. Without a preset nobody chose a look, so none is added: values
are encoded as they are, which is what Blender's view "Standard" shows. An ACES project is shown with ACES' own rendering."""
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr"})
_LINEAR_FILES = frozenset({".exr"})


class CompositeError(ValueError):
    """Layers that cannot be laid over each other.

    Attributes:
        missing: by layer, the frames that are not there.
        damaged: by layer, those that cannot be read.
    """

    def __init__(
        self,
        message: str,
        missing: Mapping[str, Sequence[int]] | None = None,
        damaged: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        super().__init__(message)
        self.missing = dict(missing or {})
        self.damaged = dict(damaged or {})


@dataclass(frozen=True)
class Frames:
    """What there is of one layer."""

    files: dict[int, Path] = field(default_factory=dict)
    """By frame."""
    missing: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()

    @property
    def wanted(self) -> list[int]:
        """The frames that have to be rendered again."""
        return sorted({*self.missing, *self.damaged})


def find_frames(folder: Path, frames: Iterable[int]) -> Frames:
    """The pictures of a layer in `folder`, each read once: a file that is there can still be half of one."""
    present = {
        number: path
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() in PICTURES and (number := frame_number(path.name)) is not None
    }
    files = {number: present[number] for number in frames if number in present}
    with ThreadPoolExecutor(max_workers=4) as pool:
        whole = dict(zip(files, pool.map(_is_whole, files.values()), strict=True))
    return Frames(
        {number: path for number, path in files.items() if whole[number]},
        tuple(number for number in frames if number not in present),
        tuple(number for number in files if not whole[number]),
    )


def composite(
    layers: Mapping[str, Path], frames: Sequence[int], destination: Path, *, preset: str = "default"
) -> dict[str, Any]:
    """Composite every frame into `destination`, as PNG named by its number.

    Args:
        layers: the folder of each layer's frames, from the bottom up.
        frames: the numbers that are to be there.
        destination: made if it does not exist.
        preset: the `colorManagementPreset` that was rendered with.

    Returns:
        `frames` (a count), `width` and `height`, and the `view` that was used.

    Raises:
        CompositeError: naming every frame that is missing, damaged or of another size. What is whole was composited.
    """
    found = {layer: find_frames(folder, frames) for layer, folder in layers.items()}
    _check_kinds(found)
    destination.mkdir(parents=True, exist_ok=True)
    sizes: dict[tuple[int, int], list[int]] = {}
    view = _COLORIMETRIC
    for number in frames:
        if all(number in layer.files for layer in found.values()):
            pictures = [layer.files[number] for layer in found.values()]
            image, view = composite_frame(pictures, preset=preset)
            _write(image, destination / f"{number:04d}.png", pictures[0])
            sizes.setdefault((image.spec().width, image.spec().height), []).append(number)
    _check_complete(found)
    if len(sizes) != 1:
        raise CompositeError(
            f"Frames differ in size: {', '.join(f'{w}x{h} ({len(n)})' for (w, h), n in sizes.items())}"
        )
    ((width, height),) = sizes
    return {"frames": len(frames), "width": width, "height": height, "view": view}


def composite_frame(pictures: Sequence[Path], *, preset: str = "default") -> tuple[Any, str]:
    """One frame: `pictures` from the bottom up, over each other and ready for display (RGB), and the view that was used.

    Raises:
        CompositeError: when a picture cannot be read, has another size, or covers all below it for want of an alpha.
    """
    import OpenImageIO as oiio

    if len(pictures) == 1 and (finished := _finished(pictures[0])):
        return finished, _COLORIMETRIC
    view = VIEWS.get(preset, _COLORIMETRIC) if is_linear(pictures[0]) else _COLORIMETRIC
    result: Any = None
    for picture in pictures:
        layer = _linear(picture)
        if result is None:
            opaque = layer.spec().alpha_channel < 0
            result = oiio.ImageBufAlgo.channels(layer, (0, 1, 2, 1.0), ("R", "G", "B", "A")) if opaque else layer
            continue
        if layer.spec().alpha_channel < 0:
            raise CompositeError(
                f"{picture} has no alpha and would hide what is below: render it with a transparent film"
            )
        if (layer.spec().width, layer.spec().height) != (result.spec().width, result.spec().height):
            raise CompositeError(f"{picture} is {_size(layer)} pixels, the layer below {_size(result)}")
        result = oiio.ImageBufAlgo.over(layer, result)
        _check(result)
    # What is still transparent is seen over black. Premultiplied colour without its alpha is just that.
    shown = oiio.ImageBufAlgo.channels(result, (0, 1, 2))
    shown = oiio.ImageBufAlgo.ociodisplay(
        shown, DISPLAY, view, fromspace=LINEAR, unpremult=False, colorconfig=COLOUR_CONFIG
    )
    _check(shown)
    return shown, view


def burn_in(image: Any, left: str, middle: str, right: str) -> bool:
    """Write three texts along the lower edge of `image`. False when no font was found; the image is then as it was.

    OpenImageIO brings its fonts (Droid) in the wheel; a build without them, or without FreeType, has none.
    """
    import OpenImageIO as oiio

    width, height = image.spec().width, image.spec().height
    size = max(9, height // 26)
    base, margin = height - size // 2, size // 2
    if not oiio.ImageBufAlgo.text_size(left or "0", size).defined:
        return False
    for text, x, align in ((left, margin, "left"), (middle, width // 2, "center"), (right, width - margin, "right")):
        oiio.ImageBufAlgo.render_text(
            image, x, base, text, size, "", (1.0, 1.0, 1.0), align, "baseline", max(1, size // 12)
        )
    return True


def is_linear(picture: Path) -> bool:
    """Whether a file holds scene-linear light rather than a finished picture."""
    return picture.suffix.lower() in _LINEAR_FILES


def _finished(picture: Path) -> Any:
    """A display-referred picture without a transparent spot, alone, is what is seen: it needs no mixing. Else None."""
    import OpenImageIO as oiio

    if is_linear(picture):
        return None
    image = _read(picture)
    alpha = image.spec().alpha_channel
    if alpha >= 0 and not oiio.ImageBufAlgo.isConstantChannel(image, alpha, 1.0):
        return None
    return oiio.ImageBufAlgo.channels(image, (0, 1, 2) if image.nchannels >= 3 else (0, 0, 0), ("R", "G", "B"))


def _read(picture: Path) -> Any:
    import OpenImageIO as oiio

    # PNG keeps colour apart from alpha. Left as it is, for multiplying the two before sRGB's curve is off gives dark edges.
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageBuf(str(picture), 0, 0, config)
    if not image.read(convert=oiio.FLOAT):
        raise CompositeError(f"{picture} cannot be read: {image.geterror()}")
    return image


def _linear(picture: Path) -> Any:
    """A picture as linear light, its colour multiplied with its alpha."""
    import OpenImageIO as oiio

    image = _read(picture)
    alpha = image.spec().alpha_channel
    if image.nchannels - (alpha >= 0) < 3:  # black and white
        order = (0, 0, 0, alpha) if alpha >= 0 else (0, 0, 0)
        image = oiio.ImageBufAlgo.channels(image, order, ("R", "G", "B", "A")[: len(order)])
    if not is_linear(picture):
        straight = bool(image.spec().get_int_attribute("oiio:UnassociatedAlpha"))
        image = oiio.ImageBufAlgo.ociodisplay(
            image,
            DISPLAY,
            _COLORIMETRIC,
            fromspace=LINEAR,
            unpremult=not straight,
            inverse=True,
            colorconfig=COLOUR_CONFIG,
        )
        if straight and image.spec().alpha_channel >= 0:
            image = oiio.ImageBufAlgo.premult(image)
    _check(image)
    return image


def _write(image: Any, target: Path, source: Path) -> None:
    """16 bits for what has more than 8, so that a grade does not band; a PNG that came with 8 leaves with 8."""
    import OpenImageIO as oiio

    depth = oiio.ImageBuf(str(source)).spec().format
    image.set_write_format(oiio.UINT8 if depth == oiio.UINT8 else oiio.UINT16)
    part = target.with_name(f".{target.stem}.part.png")
    if not image.write(str(part)):
        raise CompositeError(f"{target} could not be written: {image.geterror()}")
    part.replace(target)


def _is_whole(picture: Path) -> bool:
    import OpenImageIO as oiio

    image = oiio.ImageBuf(str(picture))
    return bool(image.read(force=True)) and not image.has_error


def _check_kinds(found: Mapping[str, Frames]) -> None:
    kinds = {layer: {is_linear(path) for path in frames.files.values()} for layer, frames in found.items()}
    if len(set().union(*kinds.values())) > 1:
        told = ", ".join(
            f"{layer} as {'EXR' if True in kind else 'display pictures'}" for layer, kind in kinds.items() if kind
        )
        raise CompositeError(
            f"Scene-linear and finished pictures do not mix ({told}): set the same outputFormat for all layers"
        )


def _check_complete(found: Mapping[str, Frames]) -> None:
    missing = {layer: frames.missing for layer, frames in found.items() if frames.missing}
    damaged = {layer: frames.damaged for layer, frames in found.items() if frames.damaged}
    if missing or damaged:
        told = [f"layer {layer}: frames {numbers(frames)} are missing" for layer, frames in missing.items()]
        told += [f"layer {layer}: frames {numbers(frames)} are damaged" for layer, frames in damaged.items()]
        raise CompositeError("; ".join(told), missing, damaged)


def numbers(frames: Sequence[int], most: int = 30) -> str:
    """Frame numbers for a message."""
    shown = ", ".join(map(str, frames[:most]))
    return shown if len(frames) <= most else f"{shown} and {len(frames) - most} more"


def _size(image: Any) -> str:
    return f"{image.spec().width}x{image.spec().height}"


def _check(image: Any) -> None:
    if image.has_error:
        raise CompositeError(f"OpenImageIO: {image.geterror()}")
