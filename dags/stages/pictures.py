"""Read a picture file: which channels hold the picture, and in which colour space, is in the file.

Two kinds of pictures come in:

- **scene-linear** (mostly `.exr`): light as Blender computed it, in the scene's working space.
- **display-referred** (`.png`, `.jpg`, `.tif` ...): the artist's view transform is in the pixels
  already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.colour_spaces import LINEAR_SPACES, UnknownColourSpaceError, space_of

PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".tga", ".webp", ".hdr", ".dpx", ".jp2", ".rgb"}
)
_LETTERS = {"r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B", "a": "A", "alpha": "A"}
_GREYS = ("Y", "V", "L", "I")
"""Names of the channel of a picture in black and white."""
_BEAUTY = frozenset({"rgba", "rgb", "beauty", "color", "colour", "composite", "image", "main"})
_ENDS = {"png": b"IEND\xaeB`\x82", "jpeg": b"\xff\xd9", "targa": b"TRUEVISION-XFILE.\0"}
"""How files end that OpenImageIO reads without an error when they are cut short."""
MOST_PIXELS = 1 << 26
"""Pixels of one picture: 8192 by 8192, a gigabyte of floats. A few kilobytes of PNG can claim a
hundred times as many."""
MOST_VALUES = 1 << 29
"""Values in one part of a file, in all its channels: two gigabytes of floats."""
MOST_PARTS = 1000
_DENSEST = 4096
"""Pixels for each byte of the file. Above this, a picture of more than `_UNDOUBTED` pixels is taken
for a damaged header rather than for one colour."""
_UNDOUBTED = 1 << 20
_WITH_REGIONS = frozenset({".exr", ".tif", ".tiff"})
"""Formats in which a picture may be a part of the frame, such as a border render."""
_DEFLATE = 1032
"""Most bytes that one byte of a PNG can stand for, as Deflate packs."""


class PictureError(ValueError):
    """A picture that cannot be used. The message is for the people who made it."""


@dataclass(frozen=True)
class Picture:
    """Pixels, and what they mean."""

    image: Any
    """OpenImageIO's `ImageBuf` of floats: R, G, B, and A where there is alpha."""
    space: str
    """By its name in `stages.colour_spaces.COLOUR_CONFIG`."""

    @property
    def has_alpha(self) -> bool:
        """Whether it may be transparent."""
        return bool(self.image.spec().alpha_channel >= 0)

    @property
    def straight(self) -> bool:
        """Whether colour is not multiplied by alpha, as in PNG."""
        return bool(self.image.spec().get_int_attribute("oiio:UnassociatedAlpha"))


@dataclass(frozen=True)
class _Group:
    """Channels that belong together: a layer, a pass, or all of a plain picture."""

    part: int
    name: str
    channels: Mapping[str, str]
    """Names in the file, by letter (R, G, B, A, ...)."""

    @property
    def rank(self) -> int:
        """How likely this is the picture: the lower, the more likely."""
        name = self.name.casefold()
        if name in {"", "composite.combined"}:
            return 0 if not name else 1
        last = name.rpartition(".")[2]
        return 2 if last == "combined" else 3 if last in _BEAUTY else 4


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Errors that do not say which file they are about, as one that does."""
    try:
        yield
    except UnknownColourSpaceError as error:
        raise PictureError(f"{path} {error}") from None
    except UnicodeDecodeError:
        # OpenImageIO hands over the texts of a damaged file as they are.
        raise PictureError(f"{path} cannot be read: it is damaged, and its texts are not text") from None


def read_picture(path: Path) -> Picture:
    """The picture in a file, as floats.

    Raises:
        PictureError: when it cannot be read, holds no picture or several, or is in an unknown
            colour space.
    """
    with clear_errors(path):
        return _read_picture(path)


def _read_picture(path: Path) -> Picture:
    import OpenImageIO as oiio

    specs = read_headers(path)
    check_size(path, specs)
    group = _picture(path, specs)
    space = space_of(specs[group.part])
    # PNG does not multiply colour by alpha. It stays so here: multiplying before sRGB's curve is
    # taken off gives dark edges.
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageBuf(str(path), group.part, 0, config)
    if not image.read(group.part, 0, force=True, convert=oiio.FLOAT):
        raise PictureError(f"{path} cannot be read: {image.geterror()}")
    # These are the file's. In memory all channels are floats, which `channels` would not notice.
    image.specmod().channelformats = ()
    letters = ("R", "G", "B", "A") if "A" in group.channels else ("R", "G", "B")
    image = oiio.ImageBufAlgo.channels(image, tuple(group.channels[letter] for letter in letters), letters)
    if image.roi != image.roi_full:  # a region, or more than what is shown
        image = oiio.ImageBufAlgo.cut(oiio.ImageBufAlgo.crop(image, image.roi_full), image.roi_full)
    if image.has_error:
        raise PictureError(f"{path} cannot be read: {image.geterror()}")
    return Picture(image, space)


def is_linear(path: Path) -> bool:
    """Whether a file holds scene-linear light rather than a finished picture.

    Raises:
        PictureError: as `read_picture`.
    """
    with clear_errors(path):
        specs = read_headers(path)
        return space_of(specs[_picture(path, specs).part]) in LINEAR_SPACES


def is_whole(path: Path) -> bool:
    """Whether a file can be read to its last byte: every part of it, every channel, and its end.

    Raises:
        PictureError: when it is too large to be read. It may be whole, so it is not rendered again.
    """
    try:
        with clear_errors(path):
            specs = read_headers(path)
    except PictureError:
        return False
    check_size(path, specs)
    try:
        with clear_errors(path):
            return _reads(path, len(specs))
    except PictureError:
        return False


def _reads(path: Path, parts: int) -> bool:
    import OpenImageIO as oiio

    for part in range(parts):
        image = oiio.ImageBuf(str(path), part, 0)
        whole = image.read(part, 0, force=True) and not image.has_error
        image.geterror()  # clears the error
        if not whole:
            return False
    return has_end(path, image.file_format_name)


def has_end(path: Path, file_format: str) -> bool:
    """Whether a file ends as its format (OpenImageIO's name) says; True where it says nothing."""
    end, tail = _ENDS.get(file_format), _tail(path)
    return end is None or tail.endswith(end) or tail.rstrip(b"\0\r\n ").endswith(end)


def check_size(path: Path, specs: Sequence[Any]) -> None:
    """Check what the header says, before a pixel is read."""
    for spec in specs:
        pixels = max(spec.width * spec.height * spec.depth, spec.full_width * spec.full_height * spec.full_depth)
        if pixels > MOST_PIXELS or pixels * spec.nchannels > MOST_VALUES:
            raise PictureError(
                f"{path} is too large to be read here: {spec.width} x {spec.height} with {spec.nchannels} channels. "
                "The limits are MOST_PIXELS and MOST_VALUES in stages.pictures"
            )
    if len(specs) >= MOST_PARTS:
        raise PictureError(f"{path} has {MOST_PARTS} parts or more. The limit is MOST_PARTS in stages.pictures")


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read()


def read_headers(path: Path) -> list[Any]:
    """The header of each part of a file."""
    import OpenImageIO as oiio

    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise PictureError(f"{path} cannot be read: {oiio.geterror()}")
    specs: list[Any] = []
    while len(specs) < MOST_PARTS and file.seek_subimage(len(specs), 0):
        specs.append(file.spec())
        _check_header(path, specs[-1])
        if file.format_name() != "openexr":
            break  # further ones are pages or thumbnails
    file.geterror()  # clears the error of the part after the last
    file.close()
    return specs


def _check_header(path: Path, spec: Any) -> None:
    """One wrong bit in a header can turn a thumbnail into gigabytes."""
    pixels, size = spec.width * spec.height, path.stat().st_size
    whole_bytes = path.suffix.lower() == ".png" and spec.get_int_attribute("oiio:BitsPerSample", 8) >= 8
    if (whole_bytes and spec.image_bytes() > _DEFLATE * size) or pixels > max(_UNDOUBTED, _DENSEST * size):
        raise PictureError(f"{path} is damaged: it says {spec.width}x{spec.height} pixels, and has {size} bytes")
    shown = spec.full_width * spec.full_height
    if shown != pixels and path.suffix.lower() not in _WITH_REGIONS:
        raise PictureError(
            f"{path} is damaged: it says that it is a region of {spec.full_width}x{spec.full_height} pixels"
        )


def _picture(path: Path, specs: Sequence[Any]) -> _Group:
    groups = list(_groups(specs))
    found = [group for group in groups if {"R", "G", "B"} <= group.channels.keys()] or list(_greys(groups))
    found = [group for group in found if group.rank < 4] or (found if len(groups) == 1 else [])
    best = [group for group in found if group.rank == min(each.rank for each in found)]
    if len(best) == 1:
        return best[0]
    names = ", ".join(dict.fromkeys(name for spec in specs for name in spec.channelnames))
    which = "several pictures" if best else "no picture in red, green and blue, or in black and white"
    raise PictureError(f"{path} holds {which}. Its channels are {names}: render one picture per file")


def _groups(specs: Sequence[Any]) -> Iterator[_Group]:
    for part, spec in enumerate(specs):
        title = spec.get_string_attribute("oiio:subimagename") if len(specs) > 1 else ""
        named: dict[str, dict[str, str]] = {}
        for channel in spec.channelnames:
            layer, _, letter = channel.rpartition(".")
            channels = named.setdefault(layer or title, {})
            channels.setdefault(_LETTERS.get(letter.casefold(), letter.upper()), channel)
        yield from (_Group(part, name, channels) for name, channels in named.items())


def _greys(groups: Sequence[_Group]) -> Iterator[_Group]:
    for group in groups:
        rest = group.channels.keys() - {"A", "Z"}
        if len(rest) == 1 and (letter := next(iter(rest))) in _GREYS:
            grey = group.channels[letter]
            yield _Group(group.part, group.name, {**group.channels, "R": grey, "G": grey, "B": grey})


def picture_channels(specs: Sequence[Any]) -> tuple[int, tuple[int, int, int]]:
    """The part of a file that is looked at, and its red, green and blue.

    Where there are several pictures, or none (depth, masks), it is the first channels of the file.
    """
    for group in sorted(_groups(specs), key=lambda group: group.rank):
        if {"R", "G", "B"} <= group.channels.keys():
            names = list(specs[group.part].channelnames)
            red, green, blue = (names.index(group.channels[letter]) for letter in "RGB")
            return group.part, (red, green, blue)
    last = min(specs[0].nchannels, 3) - 1
    return 0, (0, min(1, last), last)
