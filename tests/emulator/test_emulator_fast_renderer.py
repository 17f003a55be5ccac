from __future__ import annotations

from pathlib import Path

import OpenImageIO as oiio
import pytest

from renderjuice_emulator.images import FORMATS
from tests.support.raw_client import DEFAULT, RawClient

COMBINATIONS = [
    (name, mode, depth)
    for name, image_format in FORMATS.items()
    for mode in sorted(image_format.color_modes)
    for depth in image_format.color_depths
]


def outputs(raw_client: RawClient, job_id: str, key: str = "frameOutputs") -> dict[str, bytes]:
    items = raw_client.downloads(job_id)[key]
    return {item.get("relativePath", item["fileName"]): raw_client.store.get(item["url"]).content for item in items}


def spec_of(content: bytes, path: Path) -> oiio.ImageSpec:
    path.write_bytes(content)
    image = oiio.ImageBuf(str(path))
    assert image.read(), image.geterror()
    return image.spec()


@pytest.mark.parametrize(("name", "mode", "depth"), COMBINATIONS)
def test_every_format_is_a_valid_image_of_the_size_asked_for(
    raw_client: RawClient, tmp_path: Path, name: str, mode: str, depth: str
) -> None:
    config = {"outputFormat": name, "outputSettings": {"colorMode": mode, "colorDepth": depth}}
    job_id = raw_client.completed(
        config=DEFAULT | config | {"resolution": [90, 60], "resolutionPercentage": 50}, frame_end=1
    )
    ((file_name, content),) = outputs(raw_client, job_id).items()
    extension = FORMATS[name].extension
    assert file_name == f"0001.{extension}"
    spec = spec_of(content, tmp_path / file_name)
    assert (spec.width, spec.height) == (45, 30)
    assert spec.nchannels == {"BW": 1, "RGB": 3, "RGBA": 4}[mode]
    assert spec.format.size() * 8 == int(depth)


def test_frames_differ_from_one_another(raw_client: RawClient) -> None:
    frames = outputs(raw_client, raw_client.completed(frame_end=5))
    assert len(set(frames.values())) == 5


def test_the_scene_says_the_size_when_nobody_else_does(raw_client: RawClient, tmp_path: Path) -> None:
    job_id = raw_client.completed(frame_end=1, resolution=(200, 100), resolution_percentage=25)
    spec = spec_of(outputs(raw_client, job_id)["0001.png"], tmp_path / "frame.png")
    assert (spec.width, spec.height) == (50, 25)


def test_compositor_outputs_keep_their_folders(raw_client: RawClient) -> None:
    job_id = raw_client.completed(frame_end=2, compositor_outputs=("Depth", "Mist"))
    assert set(outputs(raw_client, job_id, "compositeNodeOutputs")) == {
        "Depth/0001.png",
        "Depth/0002.png",
        "Mist/0001.png",
        "Mist/0002.png",
    }
    item = raw_client.downloads(job_id)["compositeNodeOutputs"][0]
    assert (item["compositeNodeName"], item["fileName"]) == ("Depth", "0001.png")
    assert len(raw_client.downloads(job_id)["frames"]) == 2


def test_each_view_has_its_own_file(raw_client: RawClient) -> None:
    items = raw_client.downloads(raw_client.completed(frame_end=1, views=("left", "right")))["frameOutputs"]
    assert [(item["fileName"], item["view"]) for item in items] == [
        ("0001_left.png", "left"),
        ("0001_right.png", "right"),
    ]


def test_a_transparent_film_has_an_empty_background(raw_client: RawClient, tmp_path: Path) -> None:
    content = outputs(raw_client, raw_client.completed(frame_end=1, film_transparent=True))["0001.png"]
    (tmp_path / "frame.png").write_bytes(content)
    pixels = oiio.ImageBuf(str(tmp_path / "frame.png")).get_pixels(oiio.FLOAT)
    assert {round(float(alpha)) for alpha in pixels[:, :, 3].flat} == {0, 1}
    assert pixels[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"outputFormat": "OPEN_EXR_MULTILAYER"}, "UNSUPPORTED_FORMAT"),
        ({"outputFormat": "JPEG", "outputSettings": {"colorMode": "RGBA"}}, "UNSUPPORTED_FORMAT"),
        ({"outputSettings": {"colorDepth": "32"}}, "UNSUPPORTED_FORMAT"),
        ({"resolution": [60000, 60000]}, "OUT_OF_MEMORY"),
    ],
)
def test_what_cannot_be_drawn_fails_the_job(raw_client: RawClient, config: dict[str, object], kind: str) -> None:
    job_id = raw_client.completed(config=DEFAULT | config, frame_end=1)
    assert raw_client.job(job_id)["failedReason"]["type"] == kind


def test_a_real_blend_without_a_description_is_drawn_with_the_defaults(raw_client: RawClient, tmp_path: Path) -> None:
    for beginning in (b"BLENDER-v279", b"BLENDER17-01v0500", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"):
        path = tmp_path / "real.blend"
        path.write_bytes(beginning + b"\0" * 100)
        assert len(raw_client.downloads(raw_client.completed(path))["frames"]) == 10
