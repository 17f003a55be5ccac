"""Layers on each other, from what was rendered to what is seen, with OpenImageIO.

Scene-linear pictures are laid on each other in linear Rec.709, then go through an OCIO display
transform to sRGB. Finished pictures lose their curve for the mixing and get it back afterwards, so
that a single layer stays as it is, and nothing is tone-mapped twice. Each file says of which kind
it is: see `stages.pictures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renderjuice_provider.frames import numbers, padded, read_numbers
from stages.colour_spaces import COLOUR_CONFIG, LINEAR, SRGB
from stages.pictures import PICTURES, Picture, is_linear, is_whole, read_picture

_COLORIMETRIC = "Un-tone-mapped"
VIEWS = {"default": _COLORIMETRIC, "aces": "ACES 1.0 - SDR Video"}
"""How scene-linear pictures are shown, by `colorManagementPreset`. Without a preset, values are
encoded as they are, which is what Blender's view "Standard" shows. An ACES project is shown with
ACES' own rendering."""


def _over(layer: Any, below: Any) -> Any:
    """`L + B (1 - a)`: as much of what is below is seen as the layer leaves."""
    import OpenImageIO as oiio

    return oiio.ImageBufAlgo.over(layer, below)


def _add(layer: Any, below: Any) -> Any:
    """`L + B`: light hides nothing, such as a glow, so alpha stays that of what is below."""
    import OpenImageIO as oiio

    return oiio.ImageBufAlgo.add(oiio.ImageBufAlgo.channels(layer, (0, 1, 2, 0.0), _RGBA), below)


def _multiply(layer: Any, below: Any) -> Any:
    """`B (1 - a + L)`: a filter, such as a shadow, that changes nothing where it is not.

    On nothing there is no shadow: alpha stays that of what is below, whose factor is `1 - a + a`.
    """
    import OpenImageIO as oiio

    light_left = oiio.ImageBufAlgo.invert(oiio.ImageBufAlgo.channels(layer, (3, 3, 3, 3), _RGBA))
    return oiio.ImageBufAlgo.mul(below, oiio.ImageBufAlgo.add(light_left, layer))


_RGBA = ("R", "G", "B", "A")
BLENDS: dict[str, Callable[[Any, Any], Any]] = {"over": _over, "add": _add, "multiply": _multiply}
"""How a layer is laid on what is below it, both with colour multiplied by alpha, in linear light:
`L` and `a` are the layer's colour and alpha, `B` what is below."""


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
    """The frames of one layer."""

    files: dict[int, Path] = field(default_factory=dict)
    """By frame."""
    missing: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()

    @property
    def wanted(self) -> list[int]:
        """The frames that have to be rendered again."""
        return sorted({*self.missing, *self.damaged})


def find_frames(folder: Path, frames: Iterable[int]) -> Frames:
    """The pictures of a layer in `folder`, each read to its last byte: a file may be cut short."""
    frames = list(frames)
    paths = {
        path.name: path
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    }
    present = {number: paths[name] for name, number in read_numbers(paths, frames).items()}
    files = {number: present[number] for number in frames if number in present}
    with ThreadPoolExecutor(max_workers=4) as pool:
        whole = dict(zip(files, pool.map(is_whole, files.values()), strict=True))
    return Frames(
        {number: path for number, path in files.items() if whole[number]},
        tuple(number for number in frames if number not in present),
        tuple(number for number in files if not whole[number]),
    )


def composite(
    layers: Mapping[str, Path],
    frames: Sequence[int],
    destination: Path,
    *,
    preset: str = "default",
    blends: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Composite every frame into `destination`, as PNG named by its number.

    Args:
        layers: the folder of each layer's frames, from the bottom up.
        frames: the numbers that are to be there.
        destination: made if it does not exist.
        preset: the `colorManagementPreset` that was rendered with.
        blends: by layer, one of `BLENDS`; by default `over`.

    Returns:
        `frames` (a count), `width` and `height`, and the `view` that was used.

    Raises:
        CompositeError: names every frame that is missing, damaged or of another size. All whole
            frames were composited.
    """
    blends = blends or {}
    found = {layer: find_frames(folder, frames) for layer, folder in layers.items()}
    _check_kinds(found)
    destination.mkdir(parents=True, exist_ok=True)
    sizes: dict[tuple[int, int], list[int]] = {}
    view = _COLORIMETRIC
    for number in frames:
        if all(number in layer.files for layer in found.values()):
            pictures = [layer.files[number] for layer in found.values()]
            image, view = composite_frame(pictures, [blends.get(layer, "over") for layer in found], preset=preset)
            _write(image, destination / f"{padded(number)}.png", pictures[0])
            sizes.setdefault((image.spec().width, image.spec().height), []).append(number)
    _check_complete(found)
    if len(sizes) != 1:
        raise CompositeError(
            f"Frames differ in size: {', '.join(f'{w}x{h} (frames {numbers(n, 5)})' for (w, h), n in sizes.items())}"
        )
    ((width, height),) = sizes
    return {"frames": len(frames), "width": width, "height": height, "view": view}


def composite_frame(
    pictures: Sequence[Path], blends: Sequence[str] | None = None, *, preset: str = "default"
) -> tuple[Any, str]:
    """Lay the pictures of one frame on each other.

    Args:
        pictures: from the bottom up.
        blends: of each, one of `BLENDS`; by default `over`. That of the lowest is not used.
        preset: see `composite`.

    Returns:
        The frame, ready for display (RGB), and the view that was used.

    Raises:
        ValueError: when a picture cannot be read, has another size, or hides all below it because
            it has no alpha.
    """
    import OpenImageIO as oiio

    lowest = read_picture(pictures[0])
    if len(pictures) == 1 and _is_finished(lowest):
        return oiio.ImageBufAlgo.channels(lowest.image, (0, 1, 2)), _COLORIMETRIC
    view = VIEWS.get(preset, _COLORIMETRIC) if is_linear(pictures[0]) else _COLORIMETRIC
    result = _with_alpha(_linear(lowest))
    blends = blends or ["over"] * len(pictures)
    for picture, blend in zip(pictures[1:], blends[1:], strict=True):
        layer = _linear(read_picture(picture))
        if blend == "over" and layer.spec().alpha_channel < 0:
            raise CompositeError(
                f"{picture} has no alpha and would hide what is below: render it with a transparent film"
            )
        if (layer.spec().width, layer.spec().height) != (result.spec().width, result.spec().height):
            raise CompositeError(f"{picture} is {_size(layer)} pixels, the layer below {_size(result)}")
        result = BLENDS[blend](_with_alpha(layer), result)
        _check(result)
    # What is still transparent is shown over black: that is premultiplied colour without its alpha.
    shown = oiio.ImageBufAlgo.channels(result, (0, 1, 2))
    shown = oiio.ImageBufAlgo.ociodisplay(
        shown, SRGB, view, fromspace=LINEAR, unpremult=False, colorconfig=COLOUR_CONFIG
    )
    _check(shown)
    return shown, view


def burn_in(image: Any, left: str, middle: str, right: str) -> bool:
    """Write three texts along the lower edge of `image`.

    Returns:
        False when no font was found; the image is then unchanged. OpenImageIO's wheel has fonts
        (Droid). A build without them, or without FreeType, has none.
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


def _is_finished(picture: Picture) -> bool:
    """Whether a picture is in sRGB and opaque: alone, it is shown as it is."""
    import OpenImageIO as oiio

    alpha = picture.image.spec().alpha_channel
    opaque = alpha < 0 or oiio.ImageBufAlgo.isConstantChannel(picture.image, alpha, 1.0)
    return picture.space == SRGB and opaque


def _with_alpha(image: Any) -> Any:
    """An image that is opaque when it has no alpha."""
    import OpenImageIO as oiio

    return image if image.spec().alpha_channel >= 0 else oiio.ImageBufAlgo.channels(image, (0, 1, 2, 1.0), _RGBA)


def _linear(picture: Picture) -> Any:
    """A picture as linear light in Rec.709, with colour multiplied by alpha."""
    import OpenImageIO as oiio

    image, straight = picture.image, picture.straight
    if picture.space != LINEAR:
        image = oiio.ImageBufAlgo.colorconvert(
            image, picture.space, LINEAR, unpremult=not straight, colorconfig=COLOUR_CONFIG
        )
    if straight and picture.has_alpha:
        image = oiio.ImageBufAlgo.premult(image)
    _check(image)
    return image


def _write(image: Any, target: Path, source: Path) -> None:
    """With 16 bits where the source has more than 8, so that later grading shows no bands."""
    import OpenImageIO as oiio

    depth = oiio.ImageBuf(str(source)).spec().format
    image.set_write_format(oiio.UINT8 if depth == oiio.UINT8 else oiio.UINT16)
    partial_file = target.with_name(f".{target.stem}.part.png")
    if not image.write(str(partial_file)):
        raise CompositeError(f"{target} could not be written: {image.geterror()}")
    partial_file.replace(target)


def _check_kinds(found: Mapping[str, Frames]) -> None:
    kinds = {layer: {is_linear(path) for path in frames.files.values()} for layer, frames in found.items()}
    if len(set().union(*kinds.values())) > 1:
        found_as = ", ".join(
            f"{layer} as {'scene-linear' if True in kind else 'finished'}" for layer, kind in kinds.items() if kind
        )
        raise CompositeError(
            f"Scene-linear and finished pictures do not mix ({found_as}): set the same outputFormat for all layers"
        )


def _check_complete(found: Mapping[str, Frames]) -> None:
    missing = {layer: frames.missing for layer, frames in found.items() if frames.missing}
    damaged = {layer: frames.damaged for layer, frames in found.items() if frames.damaged}
    if missing or damaged:
        gaps = [f"layer {layer}: frames {numbers(frames)} are missing" for layer, frames in missing.items()]
        gaps += [f"layer {layer}: frames {numbers(frames)} are damaged" for layer, frames in damaged.items()]
        what = "; ".join(gaps)
        raise CompositeError(
            f"{what}. Whole frames are paid and kept: clear `render` of this shot, which renders only these",
            missing,
            damaged,
        )


def _size(image: Any) -> str:
    return f"{image.spec().width}x{image.spec().height}"


def _check(image: Any) -> None:
    if image.has_error:
        raise CompositeError(f"OpenImageIO: {image.geterror()}")
