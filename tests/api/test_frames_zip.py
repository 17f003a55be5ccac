"""Many small frames come in one zip, which is believed only if it holds exactly these frames."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from renderjuice_provider.api import _download, _frames_zip
from renderjuice_provider.api._frames_zip import FEWEST, LARGEST, PROBES, is_worth_it, zip_url
from renderjuice_provider.api.errors import RenderjuiceTransferError
from renderjuice_provider.api.report import DownloadedFile
from renderjuice_provider.storage import LocalFolder
from tests.support.both_clients import completed, files_below

FRAMES = 12
CONFIG = {"colorManagementPreset": "default", "frameRanges": [f"1-{FRAMES}"]}


@pytest.fixture
def job(client, tmp_path, monkeypatch):
    for module in (_download, _frames_zip):
        monkeypatch.setattr(module, "FEWEST", 6)
        monkeypatch.setattr(module, "PROBES", 2)
    return completed(client, tmp_path, CONFIG, frame_end=FRAMES)


def fetch(client, emulator, job, out):
    """The report, and how many requests the store got."""
    before = emulator.ledger.count("download_file")
    report = client.download_outputs(job.id, out)
    rendered = {f"frames/{file.path.name}": file.path.read_bytes() for file in emulator.jobs[job.id].outputs}
    assert {file.place: (out / file.place).read_bytes() for file in report.files} == rendered
    assert {file.place: file.sha256 for file in report.files} == {
        place: hashlib.sha256(content).hexdigest() for place, content in rendered.items()
    }
    assert files_below(out) == set(rendered)
    return report, emulator.ledger.count("download_file") - before


def a_zip(emulator, job, change=lambda members: members):
    """Put a zip of one's own where the store has that of the frames."""
    made = emulator.jobs[job.id]
    members = {file.path.name: file.path.read_bytes() for file in made.outputs}
    with zipfile.ZipFile(made.folder / "frames.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)
    return made.folder / "frames.zip"


def test_after_a_few_probes_one_request_brings_all_frames(client, emulator, job, tmp_path):
    report, requests = fetch(client, emulator, job, tmp_path / "out")
    assert (len(report.files), requests) == (FRAMES, 3)
    assert client.download_outputs(job.id, tmp_path / "out").already_there == FRAMES


@pytest.mark.parametrize("change", ["another packer", "litter and folders"])
def test_a_zip_may_be_packed_in_other_ways(client, emulator, job, tmp_path, change):
    def changed(members):
        folders = {f"render/{name}": content for name, content in members.items()}
        return folders | {"render/": b"", "__MACOSX/render/._0001.png": b"x"} if change != "another packer" else members

    a_zip(emulator, job, changed)
    assert fetch(client, emulator, job, tmp_path / "out")[1] == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda members: dict(list(members.items())[:-1]),
        lambda members: members | {"extra.png": b"x"},
        lambda members: {name.replace("0003", "0103"): content for name, content in members.items()},
        lambda members: members | {"other/0001.png": b"x"},
        lambda members: members | {"0001.png": b"of another size"},
        lambda members: {name: bytes(len(content)) for name, content in members.items()},
        lambda members: {f"../{name}" if "3" in name else name + "x": content for name, content in members.items()},
        lambda _: {},
    ],
    ids=[
        "lacks one",
        "has one more",
        "other names",
        "a name twice",
        "another size",
        "another render",
        "hostile names",
        "empty",
    ],
)
def test_a_zip_of_anything_else_is_not_taken(client, emulator, job, tmp_path, change):
    a_zip(emulator, job, change)
    assert fetch(client, emulator, job, tmp_path / "out")[1] == FRAMES + 1


def test_a_frame_that_is_damaged_in_the_zip_is_fetched_alone(client, emulator, job, tmp_path):
    path = a_zip(emulator, job)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("0007.png").header_offset + 60
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    assert fetch(client, emulator, job, tmp_path / "out")[1] == 4


@pytest.mark.parametrize("name", [b"\x00001.png", b"\xff001.png", b"/001.png"])
def test_damaged_names_in_a_zip_do_no_harm(client, emulator, job, tmp_path, name):
    path = a_zip(emulator, job)
    path.write_bytes(path.read_bytes().replace(b"0001.png", name))
    assert fetch(client, emulator, job, tmp_path / "out")[1] == FRAMES + 1


def test_of_a_zip_only_what_is_missing_is_taken(client, emulator, job, tmp_path):
    out = tmp_path / "out"
    mine = out / "frames/0012.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"of an earlier job")

    def is_there(planned):
        return (out / planned.place).exists()

    report = client.run(_download.download(client.operations, job.id, LocalFolder(out), is_there=is_there))
    assert len(report.files) == FRAMES - 1
    assert mine.read_bytes() == b"of an earlier job"
    assert emulator.ledger.count("download_file") == 3


def test_a_place_that_cannot_be_written_is_an_error_of_ours(client, emulator, job, tmp_path, monkeypatch):
    keep = LocalFolder.partial_file

    def partial_file(self, place):
        if place.suffix == ".png" and place.name > "0002.png":
            raise NotADirectoryError(20, "Not a directory")
        return keep(self, place)

    monkeypatch.setattr(LocalFolder, "partial_file", partial_file)
    with pytest.raises(RenderjuiceTransferError, match="Cannot write below the destination: Not a directory"):
        client.download_outputs(job.id, tmp_path / "out")


@pytest.mark.parametrize("content", [b"no zip", b"PK\5\6" + bytes(18), b"PK\1\2" + bytes(500)])
def test_nonsense_instead_of_a_zip_does_no_harm(client, emulator, job, tmp_path, content):
    (emulator.jobs[job.id].folder / "frames.zip").write_bytes(content)
    assert fetch(client, emulator, job, tmp_path / "out")[1] == FRAMES + 1


@pytest.mark.parametrize("fault", ["404", "503", "truncate", "nonsense", "reset-after"])
def test_a_zip_that_cannot_be_had_is_given_up_for_single_frames(new_client, emulator, job, tmp_path, fault):
    emulator.faults.add("download_file", "ok", "ok", *[fault] * (1 if fault == "404" else 5))
    fetch(new_client(), emulator, job, tmp_path / "out")


def test_a_zip_whose_url_has_expired_is_asked_for_again(client, emulator, job, tmp_path):
    emulator.faults.add("download_file", "ok", "ok", "expired")
    assert fetch(client, emulator, job, tmp_path / "out")[1] == 6
    assert emulator.ledger.count("get_downloads") == 2


def test_urls_that_have_expired_for_the_probes_are_renewed_for_the_zip(client, emulator, job, tmp_path):
    emulator.faults.add("download_file", "expired")
    fetch(client, emulator, job, tmp_path / "out")
    assert emulator.ledger.count("download_file", status=200) <= 4


def test_without_an_offer_frames_come_alone(client, emulator, job, tmp_path):
    emulator.switches.zips = False
    assert fetch(client, emulator, job, tmp_path / "out")[1] == FRAMES


def test_for_the_few_that_are_left_no_zip_is_fetched(client, emulator, job, tmp_path):
    fetch(client, emulator, job, tmp_path / "out")
    for number in (1, 5, 9):
        (tmp_path / f"out/frames/{number:04}.png").unlink()
    assert fetch(client, emulator, job, tmp_path / "out")[1] == 3


def test_hostile_names_in_the_list_stay_below_the_destination(client, emulator, job, tmp_path):
    emulator.switches.hostile_names = {"0001.png": "../../../0001.png", "0002.png": "/etc/0002.png"}
    before = files_below(tmp_path)
    report = client.download_outputs(job.id, tmp_path / "deep/out")
    assert len(report.files) == FRAMES
    assert files_below(tmp_path) - before == {f"deep/out/{file.place}" for file in report.files}


@pytest.mark.parametrize(
    ("transforms", "url"),
    [
        ({"framesZip": "u"}, "u"),
        ({"framesZip": "u", "framesZipOutputs": {"url": "v"}}, "v"),
        ({"framesZip": "u", "framesZipOutputs": [{"url": "v"}]}, "v"),
        ({"framesZip": "", "framesZipOutputs": [{"url": "v"}, {"url": "w"}]}, ""),
        ({"framesZip": 3, "framesZipOutputs": {"url": None}}, ""),
        ({}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_the_zip_is_found_in_each_documented_shape(transforms, url):
    assert zip_url(transforms) == url


def test_a_zip_is_worth_it_for_many_small_frames_that_are_not_there():
    def arrived(size, many=PROBES):
        return {number: DownloadedFile(f"{number}.png", "frame", size, "") for number in range(many)}

    assert is_worth_it(FEWEST, FEWEST, arrived(LARGEST))
    assert not is_worth_it(FEWEST - 1, FEWEST, arrived(LARGEST))
    assert not is_worth_it(FEWEST, 2 * FEWEST + 1, arrived(LARGEST))
    assert not is_worth_it(FEWEST, FEWEST, arrived(LARGEST + 1))
    assert not is_worth_it(FEWEST, FEWEST, arrived(1, PROBES - 1))
