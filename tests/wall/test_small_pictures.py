"""Pictures are made small in a process of their own: what is damaged or hostile ends that one."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from renderjuice_emulator.images import FORMATS
from renderjuice_provider.wall import _sizing, _sizing_child
from renderjuice_provider.wall._sizing import NoPictureError, Sizer, can_size, ending_of

oiio = pytest.importorskip("OpenImageIO")


@pytest.fixture
async def sizer() -> AsyncIterator[Sizer]:
    found = Sizer()
    yield found
    await found.close()


def write(path: Path, width: int = 640, height: int = 360, channels: tuple[str, ...] = ("R", "G", "B")) -> Path:
    """A picture of one colour: red 0.5, all else 0.1."""
    spec = oiio.ImageSpec(width, height, len(channels), oiio.HALF if path.suffix == ".exr" else oiio.UINT8)
    spec.channelnames = channels
    image = oiio.ImageBuf(spec)
    oiio.ImageBufAlgo.fill(image, tuple(0.5 if name.endswith("R") else 0.1 for name in channels))
    assert image.write(str(path)), image.geterror()
    return path


def size_and_colour(path: Path) -> tuple[int, int, tuple[float, ...]]:
    image = oiio.ImageBuf(str(path))
    return image.spec().width, image.spec().height, tuple(np.round(image.get_pixels(oiio.FLOAT).mean(axis=(0, 1)), 1))


async def sized(sizer: Sizer, source: Path) -> tuple[tuple[int, int, tuple[float, ...]], ...]:
    targets = {size: source.with_name(f"small-{size}.jpg") for size in (256, 1024)}
    await sizer.size(source, targets)
    return tuple(size_and_colour(path) for path in targets.values())


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".bmp", ".dpx"])
async def test_a_picture_becomes_as_small_as_it_is_shown(sizer: Sizer, tmp_path: Path, ending: str) -> None:
    source = write(tmp_path / f"frame{ending}", 1600, 900)
    assert ending_of(source) == ending
    small, large = await sized(sizer, source)
    assert small[:2] == (256, 144)
    assert large[:2] == (1024, 576)
    assert small[2] == large[2] == pytest.approx((0.5, 0.1, 0.1), abs=0.11)


async def test_a_small_picture_is_not_blown_up(sizer: Sizer, tmp_path: Path) -> None:
    assert [found[:2] for found in await sized(sizer, write(tmp_path / "frame.png", 40, 300))] == [(34, 256), (40, 300)]


async def test_light_is_shown_as_a_screen_shows_it(sizer: Sizer, tmp_path: Path) -> None:
    names = ("Depth.Z", "ViewLayer.Combined.R", "ViewLayer.Combined.G", "ViewLayer.Combined.B", "ViewLayer.Combined.A")
    source = write(tmp_path / "frame.exr", channels=names)
    assert ending_of(source) == ".exr"
    small, _ = await sized(sizer, source)
    assert small[2] == pytest.approx((0.7, 0.3, 0.3), abs=0.11)  # 0.5 and 0.1, with sRGB's curve


@pytest.mark.parametrize("name", list(FORMATS))
async def test_what_the_emulator_renders_can_be_shown(sizer: Sizer, tmp_path: Path, name: str) -> None:
    made = FORMATS[name]
    rows = [bytes((200, 100, 50, 255)) * 64] * 32
    source = tmp_path / "received"
    source.write_bytes(made.encode(rows, made.default_color_mode, made.color_depths[0]))
    source = source.rename(source.with_suffix(ending_of(source)))
    assert [found[:2] for found in await sized(sizer, source)] == [(64, 32)] * 2


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (png(9_000, 9_000), "too large"),
        (png(640, 360)[:40], "damaged|no picture|cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + os.urandom(5000), "damaged|no picture|cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "damaged|no picture|cannot be read"),
    ],
    ids=["too large", "cut short", "noise", "empty"],
)
async def test_what_is_no_usable_picture_is_refused_and_the_next_one_is_made(
    sizer: Sizer, tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(NoPictureError, match=why):
        await sized(sizer, tmp_path / "bad.png")
    assert len(await sized(sizer, write(tmp_path / "good.png"))) == 2


async def test_a_picture_that_ends_the_process_ends_no_other(
    sizer: Sizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sizing, "CHILD", tmp_path / "child.py")
    (tmp_path / "child.py").write_text("import os, signal; input(); os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(NoPictureError, match="it ended the process"):
        await sized(sizer, write(tmp_path / "frame.png"))
    monkeypatch.undo()
    assert len(await sized(sizer, tmp_path / "frame.png")) == 2


async def test_a_picture_that_takes_for_ever_is_given_up(
    sizer: Sizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sizing, "CHILD", tmp_path / "child.py")
    monkeypatch.setattr(_sizing, "_SECONDS", 0.2)
    (tmp_path / "child.py").write_text("import time; time.sleep(600)")
    with pytest.raises(NoPictureError, match="took too long"):
        await sized(sizer, write(tmp_path / "frame.png"))
    assert sizer._process is None


async def test_the_process_knows_no_secret_of_the_server(
    sizer: Sizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "a-secret")
    monkeypatch.setattr(_sizing, "CHILD", tmp_path / "child.py")
    (tmp_path / "child.py").write_text("import json, os; input(); print(json.dumps({'why': ' '.join(os.environ)}))")
    with pytest.raises(NoPictureError) as caught:
        await sizer.size(tmp_path / "frame.png", {})
    assert set(str(caught.value).split()) <= {"PATH", "LC_ALL", "LC_CTYPE", "PYTHONPATH"}


async def test_pictures_of_many_are_made_by_one_process_that_ends_when_idle(
    sizer: Sizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sizing, "_IDLE", 0.05)
    await asyncio.gather(*(sized(sizer, write(tmp_path / f"{number}.png")) for number in range(3)))
    process = sizer._process
    assert process is not None
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert sizer._process is None


def test_openimageio_is_found_without_being_imported() -> None:
    assert can_size()


def test_a_file_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    for content, ending in [(b"RIFF1234WEBPVP8 ", ".webp"), (b"<svg onload=", ""), (b"GIF89a", ""), (b"", "")]:
        (tmp_path / "a.png").write_bytes(content)
        assert ending_of(tmp_path / "a.png") == ending


# The same in this process, where it can be measured which lines were run


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("R", "G", "B", "A"), (0, 1, 2)),
        (("A", "B", "G", "R"), (3, 2, 1)),
        (
            (
                "Depth.Z",
                "View.Diffuse.R",
                "View.Diffuse.G",
                "View.Diffuse.B",
                "Y.Combined.R",
                "Y.Combined.G",
                "Y.Combined.B",
            ),
            (4, 5, 6),
        ),
        (("a.R", "a.G", "a.B", "Composite.Combined.R", "Composite.Combined.G", "Composite.Combined.B"), (3, 4, 5)),
        (("Y",), (0, 0, 0)),
        (("V.Y", "Z"), (0, 0, 0)),
        (("Depth.Z",), ()),
        (("R", "G"), ()),
        ((), ()),
    ],
)
def test_of_all_channels_those_of_the_picture_are_shown(names: tuple[str, ...], found: tuple[int, ...]) -> None:
    assert _sizing_child.colours(names)[1] == found


def test_the_process_makes_one_picture_for_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits: dict[int, int] = {}
    monkeypatch.setattr(_sizing_child, "limit", limits.__setitem__)
    monkeypatch.setattr(os, "nice", lambda _: None)
    deep = tmp_path / "deep.tif"
    assert oiio.ImageBuf(oiio.ImageSpec(8, 8, 600, oiio.UINT8)).write(str(deep))
    (tmp_path / "damaged.png").write_bytes(png(640, 360, b"x"))
    (tmp_path / "huge.png").write_bytes(png(9_000, 9_000))
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + bytes(100))
    sources = [
        write(tmp_path / "grey.png", channels=("Y",)),
        write(tmp_path / "light.exr"),
        deep,
        *(tmp_path / name for name in ("damaged.png", "huge.png", "a.gif", "missing.png")),
        write(tmp_path / "depth.exr", channels=("Z",)),
    ]
    lines = [json.dumps({"source": str(source), "targets": {"64": f"{source}.jpg"}}) for source in sources]
    monkeypatch.setattr("sys.stdin", lines)
    _sizing_child.main()
    said = [json.loads(line).get("why", "") for line in capsys.readouterr().out.splitlines()]
    assert said[:2] == ["", ""]
    assert said[2] == "the picture has too many channels"
    assert said[4] == "the picture is too large"
    assert said[5:] == ["it is no picture", "it is no picture", "the file holds no picture"]
    assert len(limits) == 4


def test_only_what_is_in_the_frame_is_shown(tmp_path: Path) -> None:
    """A border render is a part of its frame."""
    spec = oiio.ImageSpec(100, 50, 3, oiio.HALF)
    spec.x, spec.y, spec.full_width, spec.full_height = 50, 20, 400, 200
    source = tmp_path / "border.exr"
    image = oiio.ImageBuf(spec)
    oiio.ImageBufAlgo.fill(image, (0.5, 0.5, 0.5))
    assert image.write(str(source))
    _sizing_child.make(str(source), {200: str(tmp_path / "small.jpg")})
    assert size_and_colour(tmp_path / "small.jpg")[:2] == (200, 100)


def test_a_limit_is_no_higher_than_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    for hard in (resource.RLIM_INFINITY, 50, 500):
        monkeypatch.setattr(resource, "getrlimit", lambda _, hard=hard: (0, hard))
        _sizing_child.limit(resource.RLIMIT_AS, 100)
    assert [soft for soft, _ in set_to] == [100, 50, 100]
