"""A picture is what its file says it is.

Channels by name, colour by the space that is named, whole to the last byte.
"""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import OpenImageIO as oiio
import pytest
from stages.composite import composite, composite_frame, find_frames
from stages.contact_sheet import make_contact_sheet
from stages.pictures import PictureError, is_linear, is_whole, read_picture

RED = {"R": 0.8, "G": 0.05, "B": 0.05}


@pytest.fixture
def exr(tmp_path):
    """Writes an EXR.

    Channels by name in this order, one dictionary for each part, with attributes.
    """

    def write(*parts, names=(), depth="half", size=(16, 8), **attributes):
        path = tmp_path / "0001.exr"
        specs = []
        for index, channels in enumerate(parts):
            spec = oiio.ImageSpec(*size, len(channels), depth)
            spec.channelnames = tuple(channels)
            spec.attribute("oiio:subimagename", names[index] if names else f"part{index}")
            for name, value in attributes.items():
                kind = [oiio.TypeDesc(f"float[{len(value)}]")] if isinstance(value, tuple) else []
                spec.attribute(name, *kind, value)
            specs.append(spec)
        out = oiio.ImageOutput.create(str(path))
        assert out.open(str(path), tuple(specs)), out.geterror()
        for index, channels in enumerate(parts):
            if index:
                out.open(str(path), specs[index], "AppendSubimage")
            out.write_image(np.tile(np.array(list(channels.values()), np.float32), (size[1], size[0], 1)))
        out.close()
        return path

    return write


def layer(name, channels):
    return {f"{name}.{channel}": value for channel, value in channels.items()}


def colour(path):
    return read_picture(path).image.getpixel(3, 3)[:3]


GREY = {"R": 0.5, "G": 0.5, "B": 0.5}


@pytest.mark.parametrize(
    "channels",
    [
        layer("Beauty.AO", GREY) | layer("Beauty.Combined", RED | {"A": 1.0}) | {"Beauty.Depth.Z": 5.0},
        layer("A.AO", GREY) | layer("A.Combined", GREY) | layer("B.Combined", GREY) | layer("Composite.Combined", RED),
        {"A": 1.0, "B": 0.05, "G": 0.05, "R": 0.8},
        {"Z": 5.0} | layer("AO", GREY) | RED,
        layer("ao", GREY) | layer("rgba", RED),
        layer("normal", {"X": 0.0, "Y": 1.0, "Z": 0.0}) | layer("beauty", {"red": 0.8, "green": 0.05, "blue": 0.05}),
        layer("render", RED),
    ],
)
def test_the_picture_is_found_by_its_channels_names_wherever_they_stand(exr, channels):
    assert colour(exr(channels)) == pytest.approx(tuple(RED.values()), abs=1e-3)


def test_of_a_file_in_parts_the_part_with_the_picture_is_read(exr):
    parts = [layer("L.AO", GREY), {"L.Depth.Z": 4.0}, layer("L.Combined", RED)]
    assert colour(exr(*parts)) == pytest.approx(tuple(RED.values()), abs=1e-3)

    assert colour(exr(GREY, RED, names=("L.AO", "L.Combined"))) == pytest.approx(tuple(RED.values()), abs=1e-3)


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        (layer("A.Combined", GREY) | layer("B.Combined", RED), "several pictures"),
        (layer("L.AO", GREY) | layer("L.Mist", RED), "no picture"),
        ({"Z": 1.0}, "no picture"),
        ({"X": 1.0, "Y": 0.0, "Z": 0.0}, "no picture"),
        ({"Y": 0.5, "RY": 0.1, "BY": 0.1}, "no picture"),
        ({"R": 0.5, "G": 0.1}, "no picture"),
    ],
)
def test_what_could_be_any_picture_or_none_is_refused_with_its_channels(exr, channels, reason):
    with pytest.raises(PictureError, match=f"{reason}.*{next(iter(channels))}"):
        read_picture(exr(channels))


@pytest.mark.parametrize("name", ["Y", "V", "ViewLayer.Combined.V"])
def test_black_and_white_is_read_as_grey(exr, name):
    assert colour(exr({name: 0.25, name.replace("V", "A").replace("Y", "A"): 1.0})) == pytest.approx((0.25,) * 3)


def test_channels_of_several_depths_do_not_disturb_each_other(tmp_path):
    spec = oiio.ImageSpec(16, 8, 5, "float")
    spec.channelnames = ("L.AO.R", "L.Combined.R", "L.Combined.G", "L.Combined.B", "L.Depth.Z")
    spec.channelformats = ("half", "half", "half", "half", "float")
    out = oiio.ImageOutput.create("x.exr")
    assert out.open(str(tmp_path / "x.exr"), spec)
    out.write_image(np.tile(np.array([0.5, 0.8, 0.05, 0.05, 9.0], np.float32), (8, 16, 1)))
    out.close()

    shown, _ = composite_frame([tmp_path / "x.exr"])
    assert shown.getpixel(3, 3) == pytest.approx((0.906, 0.248, 0.248), abs=2e-3)


def test_a_region_is_shown_where_it_belongs(tmp_path):
    spec = oiio.ImageSpec(4, 2, 3, "half")
    spec.x, spec.y, spec.full_width, spec.full_height = 6, 3, 16, 8
    image = oiio.ImageBuf(spec)
    oiio.ImageBufAlgo.fill(image, (1.0, 1.0, 1.0))
    assert image.write(str(tmp_path / "x.exr"))

    whole = read_picture(tmp_path / "x.exr").image
    assert (whole.spec().width, whole.spec().height) == (16, 8)
    assert [whole.getpixel(x, 4)[0] for x in (0, 7, 15)] == [0, 1, 0]


ACESCG = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


@pytest.mark.parametrize(
    ("attributes", "space"),
    [
        ({}, "Linear Rec.709 (sRGB)"),
        ({"colorInteropID": "lin_rec709_scene"}, "Linear Rec.709 (sRGB)"),
        ({"colorInteropID": "lin_ap1_scene"}, "ACEScg"),
        ({"colorInteropID": "lin_ap0_scene"}, "ACES2065-1"),
        ({"colorInteropID": "lin_rec2020_scene"}, "Linear Rec.2020"),
        ({"oiio:ColorSpace": "ACEScg"}, "ACEScg"),
        ({"chromaticities": ACESCG}, "ACEScg"),
        ({"chromaticities": REC709}, "Linear Rec.709 (sRGB)"),
        ({"chromaticities": REC709, "colorInteropID": "lin_ap1_scene"}, "ACEScg"),
        ({"acesImageContainerFlag": 1, "compression": "none"}, "ACES2065-1"),
    ],
)
def test_the_colour_space_is_the_one_that_the_file_names(exr, attributes, space):
    path = exr(RED, **attributes)
    assert (read_picture(path).space, is_linear(path)) == (space, True)


def test_the_same_light_looks_alike_whatever_space_it_is_written_in(exr):
    light = oiio.ImageBuf(oiio.ImageSpec(1, 1, 3, "float"))
    light.setpixel(0, 0, tuple(RED.values()))
    plain, _ = composite_frame([exr(RED, depth="float")])
    seen = plain.getpixel(3, 3)
    for space, identifier in (("ACEScg", "lin_ap1_scene"), ("Linear Rec.2020", "lin_rec2020_scene")):
        there = oiio.ImageBufAlgo.colorconvert(
            light, "Linear Rec.709 (sRGB)", space, colorconfig="ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3"
        ).getpixel(0, 0)
        path = exr(dict(zip("RGB", there, strict=True)), depth="float", colorInteropID=identifier)
        shown, _ = composite_frame([path])
        assert shown.getpixel(3, 3) == pytest.approx(seen, abs=1e-3)


@pytest.mark.parametrize(
    "attributes",
    [
        {"colorInteropID": "lin_studio_scene"},
        {"colorInteropID": "data"},
        {"colorInteropID": "unknown"},
        {"chromaticities": (0.6, 0.3, 0.2, 0.6, 0.1, 0.06, 0.3, 0.3)},
    ],
)
def test_a_colour_space_that_nobody_knows_is_an_error(exr, attributes, tmp_path):
    path = exr(RED, **attributes)
    for work in (
        lambda: read_picture(path),
        lambda: composite({"base": tmp_path}, [1], tmp_path / "out"),
        lambda: make_contact_sheet([path], tmp_path / "sheet.png"),
    ):
        with pytest.raises(ValueError, match="colour space that is not known"):
            work()


def png(path, *chunks):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([128] * 24)) * 8
    head, body = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), chunk(b"IDAT", zlib.compress(rows))
    extra = b"".join(chunk(kind, data) for kind, data in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + extra + body + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(
    ("chunks", "space", "seen"),
    [
        ([], "sRGB - Display", 0.502),
        ([(b"sRGB", b"\0")], "sRGB - Display", 0.502),
        ([(b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\0")], "sRGB - Display", 0.502),
        ([(b"gAMA", struct.pack(">I", 100000))], "Linear Rec.709 (sRGB)", 0.737),
        ([(b"cICP", bytes((12, 13, 0, 1)))], "Display P3 - Display", 0.502),
    ],
)
def test_a_png_is_shown_as_its_chunks_say(tmp_path, chunks, space, seen):
    path = png(tmp_path / "x.png", *chunks)

    assert read_picture(path).space == space
    assert composite_frame([path])[0].getpixel(3, 3)[0] == pytest.approx(seen, abs=0.004)


def test_a_png_of_an_unknown_kind_of_colour_is_an_error(tmp_path):
    with pytest.raises(PictureError, match="CICP"):
        read_picture(png(tmp_path / "x.png", (b"cICP", bytes((4, 5, 0, 1)))))


def test_a_logarithmic_film_scan_is_an_error_and_not_washed_out(tmp_path):
    spec = oiio.ImageSpec(16, 8, 3, "uint16")
    spec.attribute("oiio:ColorSpace", "KodakLog")
    assert oiio.ImageBuf(spec).write(str(tmp_path / "x.dpx"))

    with pytest.raises(PictureError, match="KodakLog"):
        read_picture(tmp_path / "x.dpx")


FORMATS = ["png", "jpg", "tif", "exr", "bmp", "tga", "webp", "hdr", "dpx", "jp2", "rgb"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_frame_that_ends_early_is_damaged_in_every_format(tmp_path, suffix):
    path = tmp_path / f"0001.{suffix}"
    image = oiio.ImageBuf(oiio.ImageSpec(96, 64, 3, "float" if suffix == "hdr" else "uint8"))
    oiio.ImageBufAlgo.noise(image, "uniform", 0.2, 0.8)
    assert image.write(str(path)), image.geterror()
    whole = path.read_bytes()
    assert find_frames(tmp_path, [1]).files == {1: path}

    for length in (0, 1, 20, len(whole) // 2, len(whole) - 200, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert find_frames(tmp_path, [1]).damaged == (1,), f"{length} of {len(whole)} bytes"


def test_every_part_of_a_file_is_read_not_only_the_first(exr):
    path = exr(RED, layer("AO", GREY), size=(64, 64), depth="float")
    assert is_whole(path)

    os.truncate(path, path.stat().st_size - 40)
    assert not is_whole(path)


def test_frames_are_found_by_the_number_that_the_whole_folder_explains(sequence, paint, tmp_path):
    for number in range(1, 4):
        paint(f"in/sh010_{number:04d}_2k.png", (0.1,) * 3)
    (tmp_path / "in" / "._sh010_0002_2k.png").write_bytes(b"resource fork")

    found = find_frames(tmp_path / "in", [1, 2, 3, 10])
    assert ({number: path.name for number, path in found.files.items()}, found.missing) == (
        {number: f"sh010_{number:04d}_2k.png" for number in range(1, 4)},
        (10,),
    )


def claiming(path, width, height):
    """A PNG that says how large it is, and holds next to nothing."""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in (
                (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
                (b"paDd", bytes(8 << 20)),  # else OpenImageIO does not believe it, either
                (b"IDAT", zlib.compress(bytes(1000))),
                (b"IEND", b""),
            )
        )
    )
    return path


@pytest.mark.parametrize(
    "look", [read_picture, is_whole, lambda path: make_contact_sheet([path], path.with_name("s.png"))]
)
@pytest.mark.parametrize("size", [(20_000, 20_000), (500, 900_000), (900_000, 500)])
def test_a_picture_is_measured_before_a_pixel_of_it_is_read(tmp_path, look, size):
    with pytest.raises(ValueError, match=r"too large to be read here.*MOST_PIXELS"):
        look(claiming(tmp_path / "0001.png", *size))


def test_a_picture_of_too_many_channels_is_too_large_as_well(exr, monkeypatch):
    path = exr(RED | {f"pass{n}.Z": 0.0 for n in range(20)})
    monkeypatch.setattr("stages.pictures.MOST_VALUES", 16 * 8 * 20)
    with pytest.raises(PictureError, match="with 23 channels"):
        read_picture(path)
