"""A scene is checked before a byte is sent, and watched while it is sent."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceTransferError
from renderjuice_provider.api.scene_file import SIZE_LIMIT, SceneFile
from tests.support.both_clients import operations

BLEND = b"BLENDER-v405" + bytes(500)
ZSTD = b"\x28\xb5\x2f\xfd" + bytes(50)


def pack(members, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def encrypted():
    """Flagged as encrypted in both of its headers, as a packer with a password does it."""
    archive = bytearray(pack({"shot.blend": BLEND}, zipfile.ZIP_STORED))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


def damaged_member():
    archive = bytearray(pack({"shot.blend": BLEND, "texture.png": bytes(range(256)) * 9}, zipfile.ZIP_STORED))
    archive[archive.index(bytes(range(256))) + 40] ^= 0xFF
    return bytes(archive)


def damaged_directory():
    return pack({"shot.blend": BLEND}).replace(b"PK\x01\x02", b"PK\x00\x00")


def two_members_in_the_same_bytes():
    archive = bytearray(pack({"a.blend": BLEND, "b.blend": BLEND}, zipfile.ZIP_STORED))
    second = archive.rindex(b"PK\x01\x02")
    archive[second + 42 : second + 46] = bytes(4)  # where its local header is: at the first one's
    archive[second + 46] = ord("a")
    return bytes(archive)


REFUSED = [
    ("shot.blend", b"", "is empty"),
    ("shot.zip", b"", "is empty"),
    ("shot.ma", b"//Maya ASCII", r"takes \.blend and \.zip files only"),
    ("shot", BLEND, r"takes \.blend and \.zip files only"),
    ("shot.blend.bak", BLEND, r"takes \.blend and \.zip files only"),
    ("shot.blend", b"\x89PNG\r\n", "is not a Blender file"),
    ("shot.blend", b"BLENDE", "is not a Blender file"),
    ("shot.blend", gzip.compress(b"something else entirely", mtime=0), "is not a Blender file"),
    ("shot.blend", b"\x1f\x8b but not gzip", "is not a Blender file"),
    ("shot.blend", pack({"shot.blend": BLEND}), "is not a Blender file"),
    ("shot.zip", BLEND, "is damaged or not a zip file"),
    ("shot.zip", pack({"shot.blend": BLEND})[:-9], "is damaged or not a zip file"),
    ("shot.zip", damaged_directory(), "is damaged or not a zip file"),
    ("shot.zip", damaged_member(), r"is damaged: texture\.png inside it cannot be read"),
    ("shot.zip", two_members_in_the_same_bytes(), "members of it overlap"),
    ("shot.zip", encrypted(), "is encrypted"),
    ("shot.zip", pack({}), r"holds no \.blend"),
    ("shot.zip", pack({"texture.png": b"PNG", "scene.blend1": BLEND}), r"holds no \.blend"),
    ("shot.zip", pack({"__MACOSX/._shot.blend": BLEND}), r"holds no \.blend"),
    ("shot.zip", pack({"shot.blend": b"not that"}), r"shot\.blend inside it is not a Blender file"),
]
ACCEPTED = [
    ("shot.blend", BLEND),
    ("SHOT.BLEND", BLEND),
    ("shot.blend", gzip.compress(BLEND, mtime=0)),
    ("shot.blend", ZSTD),
    ("a shot, the 2nd (final).blend", BLEND),
    ("shöt-灯.blend", BLEND),
    ("shot.zip", pack({"shot.blend": BLEND, "textures/a.png": b"PNG"})),
    ("shot.zip", pack({"project/shot.blend": gzip.compress(BLEND, mtime=0)})),
    ("shot.zip", pack({"one.blend": BLEND, "lib/two.blend": ZSTD})),
    ("shot.ZIP", pack({"shot.blend": BLEND}, zipfile.ZIP_LZMA)),
    ("shot.zip", pack({"shot.blend": BLEND}, zipfile.ZIP_BZIP2)),
]


@pytest.mark.parametrize(("name", "content", "why"), REFUSED)
def test_what_cannot_be_rendered_is_refused_before_a_byte_is_sent(client, emulator, tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RenderjuiceInputError, match=why):
        client.upload(tmp_path / name)
    assert operations(emulator) == []


@pytest.mark.parametrize(("name", "content"), ACCEPTED)
def test_what_blender_writes_is_accepted(client, emulator, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert client.create_job(client.upload(tmp_path / name).slug)
    assert emulator.ledger.entries[1].file_name == name


@pytest.mark.parametrize("extension", ["blend", "zip"])
def test_a_file_of_5_gib_is_refused(client, emulator, tmp_path, extension):
    scene = write_scene(tmp_path / f"huge.{extension}", size=SIZE_LIMIT)
    with pytest.raises(RenderjuiceInputError, match="must be smaller than 5 GiB"):
        client.upload(scene)
    assert operations(emulator) == []


def test_a_file_of_5_gib_less_one_byte_is_accepted(tmp_path):
    assert SceneFile.check(write_scene(tmp_path / "huge.blend", size=SIZE_LIMIT - 1)).size == SIZE_LIMIT - 1


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing.blend", r"No such file: .*missing\.blend"),
        ("nul\0byte.blend", "No such file|cannot be read"),
        (".", "Not a file: .*Pass one .blend"),
        ("folder.blend", "Not a file"),
        ("x" * 300 + ".blend", "cannot be read: File name too long|No such file"),
        ("loop.blend", "cannot be read|No such file"),
        ("file.blend/below.blend", "No such file|cannot be read"),
    ],
)
def test_what_is_not_a_file_is_refused(client, emulator, tmp_path, path, why):
    (tmp_path / "folder.blend").mkdir()
    (tmp_path / "loop.blend").symlink_to("loop.blend")
    (tmp_path / "file.blend").write_bytes(BLEND)
    with pytest.raises(RenderjuiceInputError, match=why):
        client.upload(tmp_path / path)
    assert operations(emulator) == []


@pytest.mark.parametrize("path", [None, 7, b"shot.blend", ["shot.blend"]])
def test_what_is_not_a_path_is_refused(client, emulator, path):
    with pytest.raises(RenderjuiceInputError, match="given as a path"):
        client.upload(path)
    assert operations(emulator) == []


def test_a_file_that_may_not_be_read_is_refused(client, emulator, tmp_path):
    class Forbidden(type(Path())):
        def open(self, *_, **__):
            raise PermissionError(13, "Permission denied")

    with pytest.raises(RenderjuiceInputError, match="cannot be read: Permission denied"):
        client.upload(Forbidden(write_scene(tmp_path / "shot.blend")))
    assert operations(emulator) == []


def test_a_name_that_is_not_text_is_refused(client, emulator, tmp_path):
    path = os.fsencode(tmp_path) + b"/sh\xf8t.blend"
    Path(os.fsdecode(path)).write_bytes(BLEND)
    with pytest.raises(RenderjuiceInputError, match="a name that is text"):
        client.upload(os.fsdecode(path))
    assert operations(emulator) == []


class Changing(type(Path())):
    """A scene that someone saves while it is being uploaded: after its first chunk was read."""

    def change(self) -> None:
        raise NotImplementedError

    def open(self, *args, **kwargs):
        file = super().open(*args, **kwargs)
        read = file.read

        def read_and_change(size):
            chunk = read(size)
            if size > 10_000:  # not while it is being checked
                self.change()
            return chunk

        return _Reader(file, read_and_change)


class _Reader:
    def __init__(self, file, read):
        self.file, self.read = file, read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


class Shrinking(Changing):
    def change(self):
        os.truncate(self, 4096)


class Growing(Changing):
    def change(self):
        os.truncate(self, 9 * 1024**2)


class Rewritten(Changing):
    def change(self):
        os.utime(self, ns=(time.time_ns(), time.time_ns()))


class Vanishing(Changing):
    def change(self):
        self.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", [Shrinking, Growing, Rewritten, Vanishing])
def test_a_file_that_changes_during_the_upload_is_an_error(client, tmp_path, kind):
    scene = write_scene(tmp_path / "shot.blend", size=3 * 1024**2)
    with pytest.raises(RenderjuiceTransferError, match=r"shot\.blend changed while it was being uploaded"):
        client.upload(kind(scene))


def test_a_file_that_vanishes_between_the_check_and_the_upload_is_an_error(client, emulator, tmp_path):
    scene = write_scene(tmp_path / "shot.blend")
    emulator.faults.add("create_upload", "stall 0.2")
    remover = threading.Timer(0.1, scene.unlink)
    remover.start()
    with pytest.raises(RenderjuiceTransferError, match="changed"):
        client.upload(scene)
    remover.join()


@pytest.mark.parametrize(
    "trouble", [UserWarning("possible zip bomb"), Exception("a decompressor of 2030"), MemoryError()]
)
def test_whatever_reading_a_zip_raises_refuses_it(tmp_path, monkeypatch, trouble):
    (tmp_path / "shot.zip").write_bytes(pack({"shot.blend": BLEND}))

    def fail(*_):
        raise trouble

    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    with pytest.raises(RenderjuiceInputError, match="damaged"):
        SceneFile.check(tmp_path / "shot.zip")


@given(st.data())
def test_no_damage_to_a_zip_is_anything_but_accepted_or_refused(tmp_path_factory, data):
    compression = data.draw(
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    )
    archive = bytearray(pack({"shot.blend": BLEND, "a.png": b"PNG" * 30}, compression))
    for place in data.draw(st.lists(st.integers(0, len(archive) - 1), min_size=1, max_size=6)):
        archive[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    path.write_bytes(archive)
    with contextlib.suppress(RenderjuiceInputError):
        assert SceneFile.check(path).size == len(archive)
