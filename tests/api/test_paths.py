"""Names from outside never lead out of the destination, and no two outputs share a place."""

from __future__ import annotations

import ntpath
import time
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from renderjuice_provider.api._paths import plan
from renderjuice_provider.api.models import Downloads, OutputFile
from renderjuice_provider.frames import frame_number

HOSTILE = [
    "/etc/passwd",
    "//server/share/x.png",
    "\\\\server\\share\\x.png",
    "C:\\Windows\\x.png",
    "C:x.png",
    "c:/x.png",
    "\\\\?\\C:\\x.png",
    "../x.png",
    "../../../../x.png",
    "..\\..\\x.png",
    "a/../../x.png",
    "a/./../../x.png",
    "..",
    ".",
    "...",
    ". .",
    "",
    " ",
    "/",
    "\\",
    "./",
    "~/x.png",
    "~root",
    "-rf",
    "x\0.png",
    "\0",
    "x.png\0.exe",
    "x\n.png",
    "x\x1b[31m.png",
    "x\x7f.png",
    "con",
    "CON.png",
    "nul.tar.gz",
    "aux .png",
    "com1.exr",
    "LPT\u00b9",
    "conin$",
    "x.png:stream",
    "x?.png",
    'x*|<>".png',
    "x.png.",
    "x.png ",
    ".hidden",
    ".0001.png.part",
    "\u200b.0001.png.part",
    "\u202egnp.exe",
    "\uff0e\uff0e\uff0fx.png",
    "\u2025/x.png",
    "\uff3cx.png",
    "\u2024\u2024/x.png",
    "x" * 300 + ".png",
    "\U0001f34a" * 200,
    "a/" * 300 + "x.png",
    "\ud800.png",
    "e\u0301.png",
    "\u00e9.png",
    "e\u200b\u0301.png",
    "\u212a.png",
    "K.PNG",
    "\u017f.png",
    "\u00df.png",
    "ss.png",
    "%2e%2e%2fx.png",
    "frames",
    "x.png/",
]


def a_frame(name, **more):
    return OutputFile.model_construct(url="https://store.test/f", file_name=name, **more)


def a_composite(path):
    return OutputFile.model_construct(url="https://store.test/c", relative_path=path)


def places(frames=(), composites=()):
    return [
        item.place
        for item in plan(
            Downloads.model_construct(frame_outputs=tuple(frames), composite_node_outputs=tuple(composites))
        )
    ]


def is_reserved(name):
    """By Windows, for a device; Python 3.13 gave the question a new home."""
    return ntpath.isreserved(name) if hasattr(ntpath, "isreserved") else PureWindowsPath(name).is_reserved()


def check(found):
    """All that a place must be."""
    keys = [unicodedata.normalize("NFC", str(place).casefold()) for place in found]
    assert len(set(keys)) == len(keys)
    for place, key in zip(found, keys, strict=True):
        assert place.parts[0] in {"frames", "composites"}
        assert len(place.parts) >= 2
        assert not place.is_absolute()
        assert not [other for other in keys if other.startswith(f"{key}/")], "a file is a folder of another"
        assert len(str(place).encode()) <= 500
        windows = PureWindowsPath(str(place))
        assert not windows.drive
        assert not windows.root
        for part in place.parts:
            assert part not in {".", ".."}
            assert not part.startswith((".", "-", "~", " "))
            assert not part.endswith((".", " "))
            assert part.isprintable()
            assert not set(part) & set('\\/:*?"<>|\0')
            assert 0 < len(part.encode()) <= 140
            assert not is_reserved(part)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_below_the_destination_wherever_it_stands(name, tmp_path):
    found = places(
        [a_frame(name), a_frame("1.png", view=name)],
        [a_composite(name), OutputFile.model_construct(url="u", composite_node_name=name)],
    )
    check(found)
    for place in found:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"x")
        assert (tmp_path / place).resolve().is_relative_to(tmp_path)
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == len(found)


def test_all_hostile_names_together_never_overwrite_each_other():
    found = places(map(a_frame, HOSTILE), map(a_composite, HOSTILE))
    assert len(found) == 2 * len(HOSTILE)
    check(found)


def test_all_hostile_names_can_be_written_side_by_side(tmp_path):
    for number, place in enumerate(found := places(map(a_frame, HOSTILE), map(a_composite, HOSTILE))):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / place).open("x") as file:
            file.write(str(number))
    assert [(tmp_path / place).read_text() for place in found] == [str(number) for number in range(len(found))]


texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(HOSTILE),
    st.text(alphabet="aA./\\\u200b\u0301e:~- \0", max_size=8),
    st.lists(st.sampled_from(["a", "A", "..", ".", "", "copy-2", "x.png"]), max_size=4).map("/".join),
)
files = st.builds(
    OutputFile.model_construct,
    url=st.one_of(texts, texts.map("https://store.test/".__add__), st.just("http://[bad")),
    file_name=st.none() | texts,
    view=st.none() | texts,
    relative_path=st.none() | texts,
    composite_node_name=st.none() | texts,
)


@given(st.lists(files, max_size=8), st.lists(files, max_size=8))
@example(
    [a_frame("a"), a_frame("x.png", view="a"), a_frame("a")], [a_composite("a/b"), a_composite("a"), a_composite("A")]
)
@example([a_frame("copy-2"), a_frame("x.png"), a_frame("x.png")], [])
@example([], [a_composite("x.png"), a_composite("x.png"), a_composite("copy-2/x.png"), a_composite("copy-3")])
def test_any_names_at_all_stay_inside_and_apart(frames, composites):
    found = places(frames, composites)
    assert len(found) == len(frames) + len(composites)
    check(found)
    assert places(frames, composites) == found


@given(st.lists(st.sampled_from(["0001.png", "0001.PNG", "shot_v2.0001.exr", "0002_left.png"]), max_size=9))
def test_making_names_distinct_does_not_change_which_frame_they_are(names):
    found = places(map(a_frame, names))
    assert [frame_number(place.name) for place in found] == [frame_number(name) for name in names]


def test_ordinary_names_stay_as_they_are():
    frames = [a_frame("0001.png"), a_frame("0001.png", view="left"), a_frame("sh\u00f6t 灯 (2)_0001.exr")]
    assert places(frames, [a_composite("beauty/denoised/0001.exr"), a_composite("File Output\\0001.exr")]) == [
        PurePosixPath("frames/0001.png"),
        PurePosixPath("frames/left/0001.png"),
        PurePosixPath("frames/sh\u00f6t 灯 (2)_0001.exr"),
        PurePosixPath("composites/beauty/denoised/0001.exr"),
        PurePosixPath("composites/File Output/0001.exr"),
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://store.test/a/0001.png?token=x", "0001.png"),
        ("https://store.test/a%2F..%2F0001.png", "0001.png"),
        ("https://store.test/sh%C3%B6t.png", "sh\u00f6t.png"),
        ("https://store.test/", "output"),
        ("https://store.test", "output"),
        ("http://[bad", "output"),
    ],
)
def test_a_legacy_url_gives_a_name_as_a_last_resort(url, name):
    assert places([OutputFile(url=url)]) == [PurePosixPath("frames", name)]


def test_a_long_name_keeps_its_extension():
    (place,) = places([a_frame("x" * 300 + ".exr")])
    assert place.name.endswith("x.exr")
    assert len(place.name) == 120


def test_ten_thousand_outputs_of_one_name_are_placed_in_no_time():
    started = time.perf_counter()
    assert len(set(places([a_frame("image")] * 10_000))) == 10_000
    assert time.perf_counter() - started < 15  # quadratic would be minutes


@pytest.mark.parametrize(
    ("relative_path", "file_name", "place"),
    [
        ("ao/beauty", "0001.exr", "ao/beauty/0001.exr"),
        ("ao/beauty/", "0001.exr", "ao/beauty/0001.exr"),
        ("ao\\beauty\\", "0001.exr", "ao/beauty/0001.exr"),
        ("./ao//beauty", "0001.exr", "ao/beauty/0001.exr"),
        ("ao/beauty/0001.exr", "0001.exr", "ao/beauty/0001.exr"),
        ("ao/beauty/0001.EXR", "0001.exr", "ao/beauty/0001.exr"),
        ("ao\\beauty\\0001.exr", "0001.exr", "ao/beauty/0001.exr"),
        ("ao/beauty/0001.exr/", "0001.exr", "ao/beauty/0001.exr"),
        ("ao/beauty.v2", "0001.exr", "ao/beauty.v2/0001.exr"),
        ("ao/renamed_0001.exr", "0001.exr", "ao/renamed_0001.exr"),
        ("ao/0001.exr/beauty.exr", "beauty.exr", "ao/0001.exr/beauty.exr"),
        ("./", "0001.exr", "0001.exr"),
        ("..", "0001.exr", "0001.exr"),
        ("ao/0001.exr", None, "ao/0001.exr"),
        ("ao/beauty", None, "ao/beauty/from_url.exr"),
    ],
)
def test_a_relative_path_may_be_a_folder_or_a_whole_path(relative_path, file_name, place):
    file = OutputFile(url="https://store.test/from_url.exr?token=x", file_name=file_name, relative_path=relative_path)

    (found,) = places(composites=[file])

    assert str(found).casefold() == f"composites/{place}".casefold()


def test_a_relative_path_of_several_names_is_their_folder_even_if_it_looks_like_a_file():
    frames = [f"{number:04d}.exr" for number in range(1, 4)]
    files = [OutputFile.model_construct(url="u", file_name=name, relative_path="ao/beauty.exr") for name in frames]

    assert places(composites=files) == [PurePosixPath("composites/ao/beauty.exr", name) for name in frames]


MANY = 20_000
SHAPES = {
    "plain": lambda n: {"fileName": f"{n:06d}.png"},
    "all alike": lambda _: {"fileName": "a.png"},
    "very deep": lambda n: {"fileName": f"{n}.png", "relativePath": "a/" * 190},
    "copies of copies": lambda n: {"fileName": "x.png", "view": f"copy-{n // 2}" if n % 2 else None},
    "files as folders": lambda n: {"fileName": "x", "relativePath": f"x/{n}"},
    "very long": lambda n: {"fileName": "\ufb03" * 5000 + str(n), "relativePath": "e\u0301/" * 100 + str(n)},
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_plan_takes_a_time_that_grows_with_its_files_and_no_faster(shape):
    def seconds(count):
        files = [{"url": "u"} | SHAPES[shape](number) for number in range(count)]
        downloads = Downloads.model_validate({"frameOutputs": files[::2], "compositeNodeOutputs": files[1::2]})
        began = time.process_time()
        places = {str(item.place).casefold() for item in plan(downloads)}
        assert len(places) == count
        return time.process_time() - began

    few = min(seconds(MANY // 10) for _ in range(3))
    assert seconds(MANY) < 40 * few + 0.2
    assert 5 * few < 5  # 100,000 in some seconds
