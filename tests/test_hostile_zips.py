"""A zip is looked at in bounded memory and time, here and at the emulator.

By what it says, and where it lies by what comes out.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from renderjuice_emulator import archives
from renderjuice_emulator.rendering import RenderFailedError
from renderjuice_emulator.scenes import open_upload
from renderjuice_provider.api import _scene_zip as scene_zip
from renderjuice_provider.api import _zip_reading as zip_reading
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.scene_file import SceneFile

SCENE = b"BLENDER-v405" + bytes(200)
MIB = 1 << 20
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def squeezed(method, size):
    if method == zipfile.ZIP_DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(bytes(size)) + packer.flush()
    if method == zipfile.ZIP_BZIP2:
        return bz2.compress(bytes(size))
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": MIB, "lc": 3, "lp": 0, "pb": 2}]
    return b"\x09\x04\x05\0\x5d" + struct.pack("<I", MIB) + lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=filters)


def zipped(*members):
    """A zip of (name, packed bytes, size that it says, checksum that it says, method)."""
    body, directory = b"", b""
    for name, packed, size, crc, method in members:
        common = struct.pack("<HHHHHIIIHH", 46, 0, method, 0, 33, crc, len(packed), size, len(name), 0)
        directory += b"PK\1\2" + struct.pack("<H", 46) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
        body += b"PK\3\4" + common + name + packed
    count = len(members)
    return body + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)


STORED = (b"a.blend", SCENE, len(SCENE), zlib.crc32(SCENE), zipfile.ZIP_STORED)


@pytest.fixture
def ask(tmp_path):
    """The words of both when they refuse a zip, and the most memory that either took."""

    def ask(content):
        path = tmp_path / "shot.zip"
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(RenderjuiceInputError) as here:
            SceneFile.check(path)
        with pytest.raises(RenderFailedError):
            open_upload(path, tmp_path / "unpacked")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return str(here.value), peak

    return ask


@pytest.mark.parametrize("method", METHODS)
def test_what_says_that_it_is_endless_is_not_read(ask, method, monkeypatch):
    monkeypatch.setattr(zip_reading, "unpacked", None)
    member = (b"t.dat", squeezed(METHODS[method], MIB), 3 << 30, 0, METHODS[method])
    said, peak = ask(zipped(STORED, member))
    assert "no scene does" in said
    assert "MAX_RATIO" in said
    assert peak < 4 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_what_says_too_little_is_left_where_it_has_lied(ask, method):
    said, peak = ask(zipped(STORED, (b"t.dat", squeezed(METHODS[method], 192 * MIB), 1000, 0, METHODS[method])))
    assert "unpacks to more than the 1000 bytes" in said
    assert peak < 16 * MIB


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("size", "crc"), [(5000, None), (4000, 7)])
def test_what_is_shorter_than_it_says_or_other_is_damaged(ask, method, size, crc):
    crc = zlib.crc32(bytes(4000)) if crc is None else crc
    said, _ = ask(zipped(STORED, (b"t.dat", squeezed(METHODS[method], 4000), size, crc, METHODS[method])))
    assert "damaged" in said


def test_a_member_may_not_ask_for_memory_before_it_is_unpacked(ask):
    packed = bytearray(squeezed(zipfile.ZIP_LZMA, 4000))
    packed[5:9] = struct.pack("<I", (2 << 30))
    said, peak = ask(zipped(STORED, (b"t.dat", bytes(packed), 4000, zlib.crc32(bytes(4000)), zipfile.ZIP_LZMA)))
    assert "asks for 2048 MiB" in said
    assert peak < 4 * MIB


def test_members_that_share_their_bytes_are_refused(ask):
    content = zipped(STORED, (b"b.dat", SCENE, len(SCENE), zlib.crc32(SCENE), zipfile.ZIP_STORED))
    place = content.rindex(b"PK\1\2")
    said, _ = ask(content[: place + 42] + struct.pack("<I", 0) + content[place + 46 :])
    assert "overlap" in said


@pytest.mark.parametrize(
    ("here", "there"),
    [("MAX_ENTRIES", "_MAX_ENTRIES"), ("MAX_DIRECTORY", "_MAX_DIRECTORY"), ("MAX_EXTRA", "_MAX_EXTRA")],
)
def test_a_directory_is_measured_before_it_is_taken_apart(ask, monkeypatch, here, there):
    monkeypatch.setattr(zip_reading, here, 40)
    monkeypatch.setattr(archives, there, 40)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(41):
            info = zipfile.ZipInfo(f"{number}.blend")
            info.extra = struct.pack("<HH", 0x4141, 60) + bytes(60)
            archive.writestr(info, SCENE)
    said, _ = ask(buffer.getvalue())
    assert here in said


def test_folders_in_folders_without_an_end_are_refused(ask):
    packed = zipped(STORED, (b"f/" * (scene_zip.MAX_FOLDERS + 1) + b"a.png", b"", 0, 0, zipfile.ZIP_STORED))
    assert "too long a path" in ask(packed)[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_scene_in_a_zip_is_read_as_it_was_packed(tmp_path, method):
    path = tmp_path / "shot.zip"
    content = SCENE + bytes(range(256)) * 20_000
    with zipfile.ZipFile(path, "w", METHODS[method]) as archive:
        archive.writestr("a.blend", content)
    assert SceneFile.check(path).name == "shot.zip"
    assert open_upload(path, tmp_path / "unpacked").read_bytes() == content


def test_a_member_is_read_in_any_steps_forwards_and_a_few_back(tmp_path):
    path, content = tmp_path / "a.zip", bytes(range(256)) * 12_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", content)
    with zipfile.ZipFile(path) as archive, zip_reading.UnpackedFile(archive, archive.getinfo("a")) as file:
        for place, size in ((0, 8), (3, 5), (2_000_000, 100), (2_000_099, 1), (3_071_990, 100), (4_000_000, 1)):
            file.seek(place)
            assert file.read(size) == content[place : place + size]
