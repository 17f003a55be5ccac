"""The morning report: what a producer reads, and that any browser can open it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import fsspec
import OpenImageIO as oiio
import pytest
from stages import morning_report, thumbnails
from stages.morning_report import link, write
from stages.records import RecordError
from stages.thumbnails import Picture, pictures

from proofs.look.sample_night import EARLIER, NIGHT, sample_night, write_summary

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x00\u202e&amp;{{ 7 * 7 }}"
REFERENCES = {"src", "href", "srcset", "action", "data", "poster", "background", "formaction", "cite"}


def parsed(path):
    """The page as XML, which HTML this strict is, too."""
    return ET.fromstring(Path(path).read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))


def words(element):
    return " ".join(" ".join(element.itertext()).split()).replace("\u2013", "-")


def section(tree, name):
    return next(each for each in tree.iter("section") if each.get("id") == name)


def card(tree, shot):
    return next(each for each in tree.iter("article") if shot in words(each.find(".//h3")))


def reported(folder, *entries, **nights):
    for night, shots in nights.items():
        write_summary(folder, night.replace("_", "-").strip("n"), shots)
    write_summary(folder, NIGHT, list(entries))
    return parsed(write(str(folder), NIGHT))


def delivered(shot="cit_010_juice", **more):
    entry = {"shot": shot, "state": "delivered", "frames": 24, "settings": "final", "layers": ["base"]}
    return entry | {"spent": {"1": 48.0}, "frames_ordered": 24, "frames_rendered": 24, "rounds": 1} | more


def test_four_shots_fail_are_rejected_and_delivered_in_this_order(tmp_path):
    tree = parsed(write(str(sample_night(tmp_path, 4)), NIGHT))

    assert [each.get("id") for each in tree.iter("section")] == ["failed", "rejected", "delivered", "spent"]
    assert "Night of Thursday, 26 November 2026" in words(tree.find(".//h1"))
    failed = words(section(tree, "failed"))
    assert "open the shot's run in Airflow and Clear it" in failed
    assert f"sun_0030_ice__00000002__{NIGHT}" in failed
    assert "no usable camera; textures/label.png is missing" in words(section(tree, "rejected"))
    first = section(tree, "delivered").find(".//article")
    assert "Not complete; lacking: frames 3, 4, 5 of Depth (sky)" in words(first)
    assert all(image.get("src").startswith("data:image/jpeg;base64,") for image in tree.iter("img"))
    assert len(list(tree.iter("img"))) == 2


def test_quotes_stand_beside_what_they_came_to_with_layers_and_what_was_ordered_again(tmp_path):
    jobs = {
        job: {"layer": layer, "frames": 24, "again": again} for job, layer, again in (("1", "sky", 0), ("2", "over", 6))
    }
    quote = {"likely": 60.0, "least": 50.0, "most": 70.0, "source": "history"}
    dear = delivered(spent={"1": 48.0, "2": 24.0}, jobs=jobs, quote=quote, share=70.0, ceiling=90.0)
    held = {"shot": "cit_020_ice", "state": "held", "reason": "no share", "quote": quote, "ceiling": 90.0}
    tree = reported(tmp_path, dear, held)

    spent = section(tree, "spent")
    assert "The night's ceiling is 90 s." in words(spent)
    row, of_held = [words(each) for each in spent.iter("tr") if words(each).startswith("cit_0")]
    assert "72 s 60 s (50-70) - sky 48 s, over 24 s 6.0 s of it for frames ordered again" in row
    assert "held - - nothing 60 s (50-70)" in of_held
    assert [words(each) for each in spent.iter("span") if each.get("class") == "dearer"] == ["60 s (50-70)"]
    assert "Quote" not in words(section(reported(tmp_path, delivered()), "spent"))


@pytest.mark.slow
def test_two_hundred_shots_are_all_there_in_less_than_eight_megabytes(tmp_path):
    path = write(str(sample_night(tmp_path, 200, noise=True)), NIGHT)

    tree = parsed(path)
    summary = json.loads(Path(path).with_name("summary.json").read_text())["shots"]
    assert Path(path).stat().st_size < 8_000_000
    text = words(tree)
    assert [shot for shot in summary if shot not in text] == []
    done = [shot for shot, entry in summary.items() if entry["state"] == "delivered"]
    lost = [each for each in tree.iter("div") if each.get("class") == "no-picture"]
    assert len(list(tree.iter("img"))) + len(lost) == len(done)
    assert {words(each) for each in lost} == {"Its contact sheet is not there"}
    assert len(lost) == sum(not Path(summary[shot]["contact_sheet"]).exists() for shot in done) > 0
    assert all(int(image.get("width")) >= 320 for image in tree.iter("img"))


@pytest.mark.parametrize("shots", [4, 40])
def test_the_page_needs_nothing_but_itself(tmp_path, shots):
    path = write(str(sample_night(tmp_path, shots)), NIGHT)

    tree = parsed(path)
    anchors = {each.get("id") for each in tree.iter()}
    for element in tree.iter():
        assert element.tag not in {"script", "link", "iframe", "object", "embed", "form", "base"}
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in REFERENCES and element.tag != "a":
                assert value.startswith("data:image/jpeg;base64,")
            if name == "href" and value.startswith("#"):
                assert value[1:] in anchors
            elif name == "href":
                assert (Path(path).parent / value).resolve().is_relative_to(tmp_path)
    style = words(tree.find(".//style"))
    assert not re.search(r"url\(|@import|https?:", style)
    assert {"prefers-color-scheme: dark", "@media print"} <= set(
        re.findall("prefers-color-scheme: dark|@media print", style)
    )


def test_what_comes_from_outside_is_text_and_nothing_else(tmp_path):
    entry: dict[str, Any] = dict.fromkeys(
        ("reason", "task", "run_id", "show", "sequence", "settings", "version", "movie", "manifest"), HOSTILE
    )
    entries = [
        entry
        | {"shot": f"{state}{HOSTILE}", "state": state, "layers": [HOSTILE, HOSTILE], "still_rendering": [HOSTILE]}
        for state in ("failed", "rejected", "delivered", "skipped")
    ]
    tree = reported(tmp_path, *entries, n2026_11_25=entries)

    assert {element.tag for element in tree.iter()}.isdisjoint({"script", "img"})
    assert "{{ 7 * 7 }}" in words(tree)
    assert "49" not in words(tree.find(".//main/section"))


def test_no_signature_and_no_password_is_in_the_page(tmp_path):
    signed = "https://user:hunter2@bucket.example/a.mp4?X-Amz-Signature=abc123"
    tree = reported(
        tmp_path,
        delivered(movie=signed, manifest=signed),
        {"shot": "ice", "state": "failed", "reason": f"could not fetch {signed}", "spent": {}},
    )

    page = ET.tostring(tree, encoding="unicode")
    assert "hunter2" not in page
    assert "abc123" not in page
    assert "could not fetch https://***@bucket.example/a.mp4?***" in words(tree)


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ("/d/shots/a b/x#1/a.mp4", "../../shots/a%20b/x%231/a.mp4"),
        ("s3://aws_default@bucket/other/a.mp4", "s3://bucket/other/a.mp4"),
        ("https://files.example/a.mp4", "https://files.example/a.mp4"),
        ("https://files.example/a.mp4?sig=1", ""),
        ("https://u:p@files.example/a.mp4", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("file:///etc/passwd", ""),
        ("/elsewhere/a.mp4", ""),
        ("/d/../etc/passwd", ""),
        ("//host/a.mp4", ""),
        ("http:///a.mp4", ""),
        ("http://[/a.mp4", ""),
        ("a.mp4", ""),
    ],
)
def test_a_link_leads_to_the_delivery_or_is_none(place, address):
    assert link(place, "/d") == address


def test_deliveries_in_a_store_are_linked_from_beside_them():
    destination = "s3://aws_default@bucket/deliveries/"
    assert link(f"{destination}shots/a/a.mp4", destination) == "../../shots/a/a.mp4"


def test_a_longer_range_does_not_look_dearer_and_a_dearer_frame_does(tmp_path):
    before = [delivered(frames=12, frames_ordered=12, frames_rendered=12, spent={"0": 24.0})]
    twice = delivered("cit_020_ice", spent={"1": 96.0})
    tree = reported(
        tmp_path,
        delivered(),
        twice,
        n2026_11_25=[*before, delivered("cit_020_ice")],
        n2026_11_24=[*before, delivered("cit_020_ice", settings="economical", spent={"1": 9.0})],
    )

    assert "2.00 s per frame, as usual" in words(card(tree, "cit_010_juice"))
    dearer = card(tree, "cit_020_ice")
    assert "4.00 s per frame, 100 % more than usual" in words(dearer)
    (bars,) = [each for each in dearer.iter() if each.get("role") == "img"]
    assert (bars.get("class"), len(list(bars))) == ("bars dearer", 2)
    assert bars.get("aria-label") == (
        "Cost per frame by night: 2026-11-25: 2.00 s per frame; this night: 4.00 s per frame"
    )


def test_a_night_that_rendered_only_the_rest_is_divided_by_the_rest(tmp_path):
    rest = delivered(spent={"2": 6.0}, frames_ordered=4, frames_rendered=3)
    assert "2.00 s per frame, as usual" in words(reported(tmp_path, rest, n2026_11_25=[delivered()]))


def test_an_entry_of_an_earlier_version_is_compared_as_well(tmp_path):
    old = {"shot": "cit_010_juice", "state": "delivered", "frames": 24, "spent": {"1": 48.0}, "settings": "final"}
    old |= {"order": {"files": {"base": "a.blend"}}, "render_seconds": 48.0, "movie": "m.mp4", "fps": 24.0}
    assert "2.00 s per frame, as usual" in words(reported(tmp_path, delivered(), n2026_11_25=[old]))


def test_unknown_cost_is_said_everywhere_and_is_never_zero(tmp_path):
    tree = reported(
        tmp_path,
        delivered("cit_010_juice", spent={"1": 40.0, "2": None}),
        {"shot": "cit_020_ice", "state": "failed", "reason": "killed"},
        {"shot": "bar_010_hand", "state": "failed", "reason": "killed", "spent": {"3": None}},
    )

    assert "cost 40 s and the unknown cost of 3 jobs, failed and killed renders included" in words(tree)
    rows = {words(row.find("th")): words(row) for row in section(tree, "spent").iter("tr")}
    assert rows["cit"] == "cit 1 1 - 24 40 s + 2 jobs unknown"
    assert rows["bar"] == "bar - 1 - - unknown (1 job)"
    assert rows["This night"].endswith("40 s + 3 jobs unknown")
    assert rows["cit_020_ice"] == "cit_020_ice failed - - unknown (1 job) -"
    assert rows["cit_010_juice"].endswith("40 s + 1 job unknown -")


def test_a_job_that_runs_on_is_said_with_its_shot(tmp_path):
    tree = reported(tmp_path, {"shot": "ice", "state": "failed", "spent": {"7": None}, "still_rendering": ["7"]})

    assert "Still rendering, and being paid: 7" in words(card(tree, "ice"))
    assert "No reason is on record." in words(card(tree, "ice"))


def test_a_shot_that_fails_night_after_night_is_said_to(tmp_path):
    ice = {"shot": "ice", "state": "failed", "reason": "x", "spent": {}}
    tree = reported(tmp_path, ice, n2026_11_25=[ice], n2026_11_24=[ice | {"state": "rejected"}], n2026_11_23=[ice])

    assert "failed for 2 nights now" in words(card(tree, "ice"))


def test_skipped_shots_are_grouped_by_reason(tmp_path):
    entries = [{"shot": name, "state": "skipped", "reason": "unchanged since its delivery of x"} for name in "ab"]
    tree = reported(tmp_path, *entries)

    assert "Unchanged since its delivery of x (2) a, b" in words(section(tree, "skipped"))
    assert "Nothing was new." in words(tree)


def test_a_night_without_shots_is_a_report_too(tmp_path):
    assert "There was nothing to do." in words(reported(tmp_path))


def test_only_the_last_five_nights_before_this_one_are_read(tmp_path):
    write_summary(tmp_path, "2026-11-27", [delivered()])
    for number in range(1, 8):
        write_summary(tmp_path, f"2026-11-0{number}", [delivered()])
    nights, notes = morning_report.earlier_nights(str(tmp_path), NIGHT)

    assert [night for night, _ in nights] == [f"2026-11-0{number}" for number in (7, 6, 5, 4, 3)]
    assert notes == []


@pytest.mark.parametrize("content", ["[]", '{"shots": 7}', '{"shots": {"a": {"shot": "a", "st', "", None])
def test_a_damaged_earlier_night_is_named_and_the_report_is_made(tmp_path, content):
    sample_night(tmp_path, 4)
    summary = tmp_path / "nights" / EARLIER[0] / "summary.json"
    summary.unlink()
    if content is not None:
        summary.write_text(content)

    tree = parsed(write(str(tmp_path), NIGHT))

    assert re.search(rf"The summary of {EARLIER[0]} is [^.]+: nothing is compared with that night", words(tree))


def test_without_a_summary_of_its_own_there_is_no_report(tmp_path):
    with pytest.raises(ValueError, match="There is no summary of the night of 2026-11-26"):
        write(str(tmp_path), NIGHT)
    write_summary(tmp_path, NIGHT, [delivered() | {"state": "a wonder"}])
    with pytest.raises(RecordError, match="damaged"):
        write(str(tmp_path), NIGHT)


def test_a_report_in_an_object_store_has_its_pictures(tmp_path):
    root = "memory://report-test"
    sheet = f"{root}/shots/juice/v1/contact_sheet.png"
    sample_night(tmp_path, 4)
    store = fsspec.filesystem("memory")
    store.pipe(sheet, next(tmp_path.rglob("contact_sheet.png")).read_bytes())
    entry = delivered("juice", manifest=f"{root}/shots/juice/v1/manifest.json")
    for night in (NIGHT, EARLIER[0]):
        summary = {"night": night, "shots": {"juice": entry}}
        store.pipe(f"{root}/nights/{night}/summary.json", json.dumps(summary).encode())

    path = write(root, NIGHT)

    assert path == f"{root}/nights/{NIGHT}/report.html"
    page = store.cat(path).decode()
    assert "data:image/jpeg;base64," in page
    assert "as usual" in page
    assert 'href="../../shots/juice/v1/manifest.json"' in page


def test_a_picture_from_outside_the_deliveries_is_not_shown(tmp_path):
    sample_night(tmp_path / "elsewhere", 4)
    sheet = next(tmp_path.rglob("contact_sheet.png"))
    for place in (str(sheet), f"{tmp_path}/d/../{sheet.relative_to(tmp_path)}"):
        tree = reported(tmp_path / "d", delivered(contact_sheet=place))
        assert "It has no contact sheet among these deliveries" in words(card(tree, "cit_010_juice"))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 64])
def test_a_damaged_contact_sheet_is_said(tmp_path, content):
    (tmp_path / "contact_sheet.png").write_bytes(content)
    tree = reported(tmp_path, delivered(contact_sheet=f"{tmp_path}/contact_sheet.png"))

    assert "Its contact sheet is damaged" in words(card(tree, "cit_010_juice"))


def test_a_picture_cut_short_or_a_folder_is_said(tmp_path, paint):
    whole = paint("whole.png", (0.5, 0.2, 0.1), (900, 500)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.png").mkdir()
    made = pictures({name: str(tmp_path / f"{name}.png") for name in ("cut", "folder", "nowhere")})

    assert all(picture.problem for picture in made.values())


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, paint, monkeypatch):
    sheet = str(paint("sheet.png", (0.5, 0.2, 0.1), (64, 64)))
    monkeypatch.setattr(thumbnails, "_MOST_PIXELS", 64 * 63)

    assert pictures({"a": sheet})["a"].problem == "its contact sheet is too large to be one of ours"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_sheet_of_any_channels_becomes_a_small_jpeg(tmp_path, paint, channels):
    sheet = paint("sheet.png", (0.5, 0.2, 0.1, 1.0)[:channels], (1500, 300))
    picture = pictures({"a": str(sheet)})["a"]

    assert picture[1:] == (640, 128, "")
    assert picture.url.startswith("data:image/jpeg;base64,/9j/")


def test_pictures_get_smaller_and_at_last_are_left_out_by_name(tmp_path):
    noise = next(sample_night(tmp_path, 4, noise=True).rglob("contact_sheet.png"))
    places = {str(number): str(noise) for number in range(3)}
    widths = []
    for room in (600_000, 60_000, 12_000, 3_000):
        made = pictures(places, room=room)
        assert sum(len(picture.url) for picture in made.values()) <= room
        widths.append(made["0"].width)
        assert all(picture.url or "left out" in picture.problem for picture in made.values())

    assert widths == sorted(widths, reverse=True)
    assert (widths[0], widths[-1]) == (640, 0)
    assert oiio.geterror() == ""
    assert made["0"] == Picture(problem="its contact sheet is left out, or this page would be too large")
