"""The check before an upload and the emulator, each with rules of its own, make the same of a zip.

A table is fed to both.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from renderjuice_emulator.rendering import RenderFailedError
from renderjuice_emulator.scenes import open_upload, read_scene
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.scene_file import SceneFile

BLEND = b"BLENDER-v405" + bytes(500)
FORK = bytes.fromhex("00051607000200004d6163204f532058") + bytes(66)
SCENE = {"shot.blend": BLEND}


def pack(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return buffer.getvalue()


def of_kind(kind: int) -> bytes:
    """A member that is not a plain file, as packers on Unix note it."""
    info = zipfile.ZipInfo("tex/wood.png")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    buffer = io.BytesIO(pack(SCENE))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def with_headers(archive: bytes, name: str, local: int, central: int, value: int) -> bytes:
    """Two bytes changed in both headers of a member.

    The places count from where the headers begin.
    """
    changed = bytearray(archive)
    first = changed.find(name.encode())
    struct.pack_into("<H", changed, changed.rfind(b"PK\3\4", 0, first) + local, value)
    second = changed.rfind(name.encode())
    struct.pack_into("<H", changed, changed.rfind(b"PK\1\2", 0, second) + central, value)
    return bytes(changed)


def compressed_with(method: int) -> bytes:
    return with_headers(pack(SCENE | {"cache.abc": b"y" * 1000}), "cache.abc", 8, 10, method)


def flagged(flags: int, name: str = "cache.abc") -> bytes:
    return with_headers(pack(SCENE | {"cache.abc": b"y" * 1000}), name, 6, 8, flags)


def twice() -> bytes:
    return pack(SCENE | {"tex/a.png": b"1", "tex/b.png": b"2"}).replace(b"tex/b.png", b"tex/a.png")


def damaged(name: str) -> bytes:
    archive = bytearray(pack(SCENE | {name: bytes(range(256))}, zipfile.ZIP_STORED))
    archive[archive.index(bytes(range(256))) + 40] ^= 0xFF
    return bytes(archive)


def nul() -> bytes:
    return pack(SCENE | {"tex/a_b.png": b"PNG"}).replace(b"tex/a_b.png", b"tex/a\0b.png")


REFUSED = {
    "backslashes": (pack(SCENE | {"tex\\wood.png": b"PNG"}), "backslashes in its name"),
    "backslashes before a resource fork": (pack(SCENE | {"tex\\._wood.png": b"PNG"}), "backslashes in its name"),
    "an absolute path": (pack(SCENE | {"/srv/wood.png": b"PNG"}), "absolute path"),
    "a share of Windows": (pack(SCENE | {"//srv/wood.png": b"PNG"}), "absolute path"),
    "a drive": (pack(SCENE | {"C:/tex/wood.png": b"PNG"}), "absolute path"),
    "a drive without a slash": (pack(SCENE | {"c:wood.png": b"PNG"}), "absolute path"),
    "a way up": (pack(SCENE | {"../wood.png": b"PNG"}), "leads out of the zip"),
    "a way up in the middle": (pack(SCENE | {"tex/../../wood.png": b"PNG"}), "leads out of the zip"),
    "the folder itself as a file": (pack(SCENE | {".": b"PNG"}), "no name that a file can have"),
    "a NUL": (nul(), "no name that a file can have"),
    "a symbolic link": (of_kind(stat.S_IFLNK), "a link or a device"),
    "a named pipe": (of_kind(stat.S_IFIFO), "a link or a device"),
    "a name too long": (pack(SCENE | {"ö" * 130 + ".png": b"PNG"}), "too long a path"),
    "folders too deep": (pack(SCENE | {"folder/" * 150 + "a.png": b"PNG"}), "too long a path"),
    "the same name twice": (twice(), "'tex/a.png' twice"),
    "the same path in two spellings": (pack(SCENE | {"tex/a.png": b"1", "./tex//a.png": b"2"}), "twice"),
    "a file where a folder is": (pack(SCENE | {"tex": b"1", "tex/a.png": b"2"}), "as a file and as a folder"),
    "Deflate64": (compressed_with(9), "Deflate64.*Pack it again with Deflate"),
    "Implode": (compressed_with(6), "Implode"),
    "Zstandard": (compressed_with(93), "Zstandard"),
    "XZ": (compressed_with(95), "XZ"),
    "a method of the future": (compressed_with(77), "method 77"),
    "a password": (flagged(1), "is encrypted"),
    "AES": (with_headers(flagged(1), "cache.abc", 8, 10, 99), "is encrypted"),
    "patched data": (flagged(0x20), "cannot be read here"),
    "damage": (damaged("a.png"), r"a\.png inside it cannot be read"),
    "names that are not the UTF-8 that they claim": (
        pack(SCENE | {"ö.png": b""}).replace("ö".encode(), b"\xf6\xf6"),
        "damaged",
    ),
    "no scene": (pack({"tex/wood.png": b"PNG"}), r"no \.blend"),
    "only a name that ends so": (pack({".blend": BLEND}), r"no \.blend"),
    "only backups": (pack({"shot.blend1": BLEND, "shot.blend@": BLEND}), r"no \.blend"),
    "only litter": (pack({"__MACOSX/shot.blend": BLEND, ".Trash-1000/files/shot.blend": BLEND}), r"no \.blend"),
    "no Blender file": (pack({"shot.blend": b"version https://git-lfs.github.com/spec/v1"}), "not a Blender file"),
}

ACCEPTED = {
    "a scene in a folder": pack({"project/": b"", "project/shot.blend": BLEND, "project/tex/a.png": b"PNG"}),
    "a dot before it": pack({"./shot.blend": BLEND, "./tex/a.png": b"PNG"}),
    "libraries below": pack({"shot.blend": BLEND, "lib/a.blend": BLEND, "lib/b/c.blend": BLEND}),
    "colons as on macOS": pack(SCENE | {"tex/10:30 wood.png": b"PNG"}),
    "two dots in a name": pack(SCENE | {"tex/wood..png": b"PNG", "...": b""}),
    "names that differ by case": pack(SCENE | {"tex/a.png": b"PNG", "tex/A.png": b"PNG"}),
    "capitals": pack({"SHOT.BLEND": BLEND}),
    "stored": pack(SCENE, zipfile.ZIP_STORED),
    "bzip2": pack(SCENE, zipfile.ZIP_BZIP2),
    "LZMA": pack(SCENE, zipfile.ZIP_LZMA),
    "damaged litter": damaged("tex/._a.png"),
    "litter with a password": flagged(1, "cache.abc").replace(b"cache.abc", b".DS_Store"),
    "litter that leads out": pack(SCENE | {"../._shot.blend": FORK}),
    "a file that another calls its folder, in litter": pack(SCENE | {"@eaDir": b"", "@eaDir/shot.blend": BLEND}),
}

LITTER = [
    "._shot.blend", "__MACOSX/._shot.blend", "tex/.DS_Store", ".AppleDouble/shot.blend", ".Trashes/501/shot.blend",
    ".Spotlight-V100/x", ".fseventsd/1", ".Trash-1000/files/old.blend", ".Trash/old.blend", "$RECYCLE.BIN/S-1-5/$RA.blend",
    "System Volume Information/x", "Thumbs.db", "tex/desktop.ini", "@eaDir/shot.blend", "#recycle/shot.blend",
    "lost+found/1.blend", "shot.blend1", "shot.blend32", "shot.blend@", ".~lock.notes.odt#", "~$notes.docx", "Icon\r",
    "THUMBS.DB", "__macosx/shot.blend", ".nfs000000012f", ".fuse_hidden0001.blend",
]  # fmt: skip


@pytest.fixture
def ask(tmp_path: Path):
    """What each says of a zip: None, or its error."""

    def ask(archive: bytes) -> tuple[Exception | None, Exception | None]:
        path = tmp_path / "shot.zip"
        path.write_bytes(archive)
        here = there = None
        try:
            SceneFile.check(path)
        except RenderjuiceInputError as error:
            here = error
        try:
            read_scene(open_upload(path, tmp_path / "unpacked"))
        except RenderFailedError as error:
            there = error
        return here, there

    return ask


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_emulator_refuses_is_refused_before_the_upload_and_says_why(ask, what):
    archive, why = REFUSED[what]
    here, there = ask(archive)
    assert there is not None, "the emulator takes it"
    with pytest.raises(RenderjuiceInputError, match=why):
        raise here or AssertionError("the check lets it through")


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_the_emulator_takes_is_uploaded(ask, what):
    assert ask(ACCEPTED[what]) == (None, None)


@pytest.mark.parametrize("name", LITTER)
def test_litter_is_neither_scene_nor_damage(ask, tmp_path, name):
    assert ask(pack(SCENE | {name: FORK})) == (None, None)
    assert [path.name for path in (tmp_path / "unpacked").rglob("*") if path.is_file()] == ["shot.blend"]


@pytest.mark.parametrize(
    "name", ["a._b.blend", "Trash/shot.blend", "thumbs.db.blend", "recycle/shot.blend", ".hidden.blend"]
)
def test_what_only_resembles_litter_is_a_scene(ask, name):
    assert ask(pack({name: BLEND})) == (None, None)


# Names


def unflagged(archive: bytes, name: bytes, system: int) -> bytes:
    """The archive with these bytes as the name, the flag for UTF-8 off.

    As Finder (system 3) and old packers (0) write it.
    """
    changed = bytearray(archive.replace("tex/Hölzer.png".encode(), name))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = changed.find(mark)
        while at >= 0:
            flags = struct.unpack_from("<H", changed, at + place)[0]
            struct.pack_into("<H", changed, at + place, flags & ~0x800)
            if mark == b"PK\1\2":
                changed[at + 5] = system
            at = changed.find(mark, at + 4)
    return bytes(changed)


def with_unicode_path(raw: bytes, name: str, *, valid: bool = True) -> bytes:
    """Info-ZIP's extra field, which counts only for the name that it was made for."""
    field = struct.pack("<BL", 1, zlib.crc32(raw) ^ (not valid)) + name.encode()
    info = zipfile.ZipInfo(raw.decode("ascii"))
    info.extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(field)) + field
    buffer = io.BytesIO(pack(SCENE))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(info, "PNG")
    return buffer.getvalue()


PLAIN = pack(SCENE | {"tex/Hölzer.png": b"PNG"})


@pytest.mark.parametrize(
    ("archive", "name"),
    [
        (PLAIN, "tex/Hölzer.png"),
        (unflagged(PLAIN, "tex/Hölzer.png".encode(), 3), "tex/Hölzer.png"),
        (unflagged(PLAIN, "tex/Hölzer.png".encode(), 0), "tex/Hölzer.png"),
        (unflagged(PLAIN, "tex/H\u006f\u0308zer.png".encode(), 3), "tex/H\u006f\u0308zer.png"),
        (unflagged(PLAIN, "tex/H灯rer.png".encode(), 3), "tex/H灯rer.png"),
        (unflagged(PLAIN, "tex/Hölzer1.png".encode("cp437"), 0), "tex/Hölzer1.png"),
        (with_unicode_path(b"tex/H_lzer.png", "tex/Hölzer.png"), "tex/Hölzer.png"),
        (with_unicode_path(b"tex/H_lzer.png", "tex/Hölzer.png", valid=False), "tex/H_lzer.png"),
    ],
)
def test_a_name_arrives_as_its_packer_wrote_it(ask, tmp_path, archive, name):
    assert ask(archive) == (None, None)
    assert (tmp_path / "unpacked" / name).read_bytes() == b"PNG"


def test_a_way_out_in_the_unicode_path_is_refused(ask):
    here, there = ask(with_unicode_path(b"tex/wood.png", "../wood.png"))
    assert "leads out" in str(here)
    assert there is not None


# Several scenes


@pytest.mark.parametrize(
    "names",
    [
        ["assets.blend", "scene.blend"],
        ["a/one.blend", "b/two.blend"],
        ["chair/chair.blend", "shots/010/scene.blend"],
    ],
)
def test_of_several_scenes_none_is_taken_in_silence(tmp_path, caplog, names):
    path = tmp_path / "project.zip"
    path.write_bytes(pack(dict.fromkeys(names, BLEND)))
    with pytest.raises(RenderjuiceInputError, match=f"several scenes.*: {', '.join(names)}") as refused:
        SceneFile.check(path, one_scene=True)
    SceneFile.check(path)
    assert caplog.messages == [refused.value.what]


def test_a_scene_above_its_libraries_is_the_scene(tmp_path, caplog):
    path = tmp_path / "project.zip"
    path.write_bytes(pack(dict.fromkeys(["p/lib/a.blend", "p/scene.blend", "p/lib/x/b.blend"], BLEND)))
    SceneFile.check(path, one_scene=True)
    assert caplog.messages == []
    assert open_upload(path, tmp_path / "unpacked").name == "scene.blend"
