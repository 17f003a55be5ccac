"""A scene whose copy broke off is refused before its upload, however it is compressed."""

from __future__ import annotations

import io
import zipfile

import pytest

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.scene_file import SceneFile

BLOCKS = b"REND" + bytes(200)
END = b"ENDB" + bytes(20)


def frame(*blocks: bytes, descriptor: int = 0xA0, header: bytes = bytes(4), checksum: bytes = b"") -> bytes:
    """A zstd frame of raw blocks, which need no compressor."""
    last = len(blocks) - 1
    body = b"".join(
        (len(block) << 3 | (place == last)).to_bytes(3, "little") + block for place, block in enumerate(blocks)
    )
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + header + body + checksum


PLAIN_4 = b"BLENDER-v405" + BLOCKS + END
PLAIN_5 = b"BLENDER17-01v0500" + BLOCKS + b"ENDB" + bytes(28)
RLE = frame(b"BLENDER-v405", b"")[:-3] + (40 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
TABLE = b"\x5e\x2a\x4d\x18\x09\0\0\0" + bytes(5) + b"\xb1\xea\x92\x8f"
WHOLE = {
    "plain, up to Blender 4": PLAIN_4,
    "plain, since Blender 5": PLAIN_5,
    "zstd as Blender writes it": frame(b"BLENDER-v405", BLOCKS) + frame(BLOCKS, END) + TABLE,
    "zstd of another program": frame(b"BLENDER-v405", BLOCKS) + frame(BLOCKS, END),
    "zstd with a checksum": frame(b"BLENDER-v405", descriptor=0xA4, checksum=b"1234"),
    "zstd with a window": frame(b"BLENDER-v405", descriptor=0x80, header=bytes(5)),
    "zstd with a dictionary": frame(b"BLENDER-v405", descriptor=0x62, header=bytes(4)),
    "zstd that ends in a run": RLE,
}


def check(tmp_path, content, packed):
    path = tmp_path / ("shot.zip" if packed else "shot.blend")
    if packed:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("shot.blend", content)
        content = buffer.getvalue()
    path.write_bytes(content)
    return SceneFile.check(path)


@pytest.mark.parametrize("packed", [False, True], ids=["by itself", "in a zip"])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_scene_is_accepted_and_none_that_was_cut_short(tmp_path, kind, packed):
    content = WHOLE[kind]
    check(tmp_path, content, packed)
    with pytest.raises(RenderjuiceInputError, match="was cut short"):
        check(tmp_path, content[: len(content) * 2 // 3], packed)


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if kind.startswith("zstd ") and "Blender" not in kind])
def test_one_lost_byte_is_noticed(tmp_path, kind):
    with pytest.raises(RenderjuiceInputError, match="was cut short"):
        check(tmp_path, WHOLE[kind][:-1], packed=False)


@pytest.mark.parametrize("content", [b"BLENDER-v405" + bytes(500), b"\x28\xb5\x2f\xfd" + bytes(50)])
def test_what_does_not_say_how_it_ends_is_not_refused_for_its_end(tmp_path, content):
    check(tmp_path, content, packed=False)
