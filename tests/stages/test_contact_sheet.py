"""A contact sheet shows this download's frames, in the order of their numbers, as they are seen."""

from __future__ import annotations

import json

import OpenImageIO as oiio
import pytest
from stages.contact_sheet import contact_sheet, frames_of, make_contact_sheet, thin_out
from stages.storage import storage


def brightness(sheet, count):
    image = oiio.ImageBuf(str(sheet))
    return [image.getpixel(8 + 248 * place + 120, 60)[0] for place in range(count)]


def files(*places, **more):
    return [{"place": place, "kind": "frame", "size": 9, "view": None} | more for place in places]


def test_frames_are_in_the_order_of_their_numbers_not_of_their_names():
    names = ["frames/10000.png", "frames/9999.png", "frames/998.png", "frames/_-0001.png"]

    assert frames_of({"files": files(*names), "requested_frames": [-1, 998, 9999, 10000]}) == names[::-1]


def test_the_eyes_of_a_frame_stand_side_by_side():
    left = files("frames/left/0001.png", "frames/left/0002.png", view="left")
    right = files("frames/right/0001.png", "frames/right/0002.png", view="right")

    assert frames_of({"files": [*right, *left]}) == [
        f"frames/{eye}/{number}.png" for number in ("0001", "0002") for eye in ("left", "right")
    ]


def test_passes_movies_and_empty_files_are_not_frames():
    others = files("composites/0001.png", kind="composite") + files("frames/0002.png", size=0) + files("frames/x.mp4")
    assert frames_of({"files": files("frames/0001.png") + others}) == ["frames/0001.png"]


def test_only_files_of_this_job_are_on_the_sheet_whatever_else_is_in_the_folder(sequence, tmp_path):
    sequence("out/frames", range(1, 7), (0.1, 0.1, 0.1))
    sequence("out/frames", [1, 2, 3], (0.8, 0.8, 0.8), suffix="bmp")
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_text(json.dumps({"files": files(*(f"frames/{number:04d}.bmp" for number in (1, 2, 3)))}))

    sheet = contact_sheet.function({"destination": str(tmp_path / "out"), "manifest": str(manifest)})

    assert sheet == str(tmp_path / "out" / "contact_sheet.png")
    assert (oiio.ImageBuf(sheet).spec().width - 8) / 248 == 3
    assert brightness(sheet, 3) == pytest.approx([0.8] * 3, abs=0.01)


def test_a_sheet_is_made_in_an_object_store_too(paint, tmp_path):
    root = f"memory://{tmp_path.name}/out"
    there = storage(root)
    (there / "frames").mkdir(parents=True)
    (there / "frames" / "0001.png").write_bytes(paint("one.png", (0.5,) * 3).read_bytes())
    (there / "manifest.json").write_text(json.dumps({"files": files("frames/0001.png")}))

    sheet = contact_sheet.function({"destination": root, "manifest": f"{root}/manifest.json"})

    assert sheet == f"{root}/contact_sheet.png"
    assert storage(sheet).read_bytes().startswith(b"\x89PNG")


def test_light_is_shown_with_the_curve_of_the_display_and_finished_pictures_as_they_are(paint, tmp_path):
    frames = [paint("a.exr", (0.18,) * 3, depth="half"), paint("b.png", (0.46,) * 3), paint("c.hdr", (0.18,) * 3)]

    sheet = make_contact_sheet(frames, tmp_path / "sheet.png")

    assert brightness(sheet, 3) == pytest.approx([0.46] * 3, abs=0.01)


def test_a_long_shot_is_thinned_out_evenly_between_its_first_and_last_frame(tmp_path):
    frames = [tmp_path / str(number) for number in range(100)]

    kept = thin_out(frames, 24)
    assert (len(set(kept)), kept[0], kept[-1]) == (24, frames[0], frames[-1])


def test_no_frames_make_no_sheet(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        make_contact_sheet([], tmp_path / "sheet.png")


def test_a_strip_one_pixel_wide_is_made_smaller_rather_than_the_sheet_larger(tmp_path):
    strip, target = tmp_path / "0001.png", tmp_path / "sheet.png"
    oiio.ImageBuf(oiio.ImageSpec(1, 60_000, 3, oiio.UINT8)).write(str(strip))
    spec = oiio.ImageBuf(str(make_contact_sheet([strip], target))).spec()
    assert (spec.width, spec.height) == (240 + 16, 960 + 16)
