"""What cannot be right is refused here.

Before a byte is sent, and with a message that says what would do.
"""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._origin import DEFAULT_BASE_URL, address_problem, check_base_url
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.api.config import OutputSettings, RenderConfig, check_render_config
from renderjuice_provider.api.errors import RenderjuiceInputError
from tests.support.both_clients import KINDS, connect, operations
from tests.support.http_server import JOB_ID

BOTH = pytest.mark.parametrize("kind", [RenderjuiceClient, AsyncRenderjuiceClient])


@pytest.mark.parametrize(
    "job_id", ["", "7", "../uploads", f"{JOB_ID}/../..", f"{JOB_ID}?x", f"{JOB_ID}\n", "None", None, 7]
)
@pytest.mark.parametrize(
    "call",
    ["get_job", "validate_job", "start_render", "cancel_job", "get_progress", "get_downloads", "download_outputs"],
)
def test_a_job_id_that_is_not_a_uuid_never_becomes_a_path(client, emulator, tmp_path, call, job_id):
    if call == "get_progress" and job_id is None:
        pytest.skip("None means all jobs here")
    more = {"start_render": [{"colorManagementPreset": "default"}], "download_outputs": [tmp_path]}
    with pytest.raises(RenderjuiceInputError, match="A job id is a UUID"):
        getattr(client, call)(job_id, *more.get(call, []))
    assert operations(emulator) == []


@pytest.mark.parametrize(
    "form", [JOB_ID, JOB_ID.upper(), f"{{{JOB_ID}}}", f"urn:uuid:{JOB_ID}", JOB_ID.replace("-", "")]
)
def test_a_uuid_is_one_in_any_of_its_forms(form):
    assert check_job_id(form) == JOB_ID


def test_a_url_that_was_taken_for_a_job_id_is_not_shown_whole():
    with pytest.raises(RenderjuiceInputError) as caught:
        check_job_id("https://a.test/?token=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "blend"),
        ("shot.blend", ""),
        ("shot.blend", "zip"),
        ("shot.zip", "blend"),
        ("shot.ma", "ma"),
        ("shot.blend", "BLEND"),
        ("shot.blend", ["blend"]),
        (None, "blend"),
        (7, "blend"),
        ("sh\udcf8t.blend", "blend"),
    ],
)
def test_a_target_is_for_a_blend_or_a_zip(client, emulator, name, kind):
    with pytest.raises(RenderjuiceInputError, match=r"An upload is a \.blend or a \.zip"):
        client.create_upload(name, kind)
    assert operations(emulator) == []


@pytest.mark.parametrize("slug", ["", "  ", None, 7, "\ud800"])
def test_a_job_needs_a_slug(client, emulator, slug):
    with pytest.raises(RenderjuiceInputError, match="A job is made from the slug"):
        client.create_job(slug)
    assert operations(emulator) == []


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, r'render_config is empty.*\{"colorManagementPreset": "default"\}'),
        ({"fps": 24}, 'colorManagementPreset is missing .use "default", or "aces"'),
        ({"colorManagementPreset": ""}, "colorManagementPreset: string should have at least 1 character"),
        ({"colorManagementPreset": None}, "colorManagementPreset"),
        ({"frameRanges": []}, "frameRanges"),
        ({"frameRanges": ""}, r"frameRanges\.0"),
        ({"frameRanges": [1.5]}, r"frameRanges\.0"),
        ({"frameRanges": True}, r"frameRanges\.0"),
        ({"frameRanges": {"first": 1}}, r"frameRanges\.0"),
        ({"frameRanges": ["1-{{ params.last }}"]}, "frameRanges holds a Jinja template that nobody has rendered"),
        ({"unknown": [{"deep": "{% if a %}"}]}, "unknown.deep holds a Jinja template that nobody has rendered"),
        ({"sampleCount": "many"}, "sampleCount: .*a Jinja template renders to text"),
        ({"sampleCount": "12.5"}, "sampleCount"),
        ({"sampleCount": "9" * 5000}, "sampleCount"),
        ({"sampleCount": "{{ params.samples }}"}, "sampleCount: a Jinja template that nobody has rendered"),
        ({"renderEngine": "None"}, "renderEngine: a template has made the text 'None' of a value that is missing"),
        ({"sampleCount": 0}, "sampleCount"),
        ({"sampleCount": True}, "sampleCount"),
        ({"resolution": [1920]}, "resolution"),
        ({"resolution": [1920, -1]}, r"resolution\.1"),
        ({"fps": math.nan}, "fps"),
        ({"fps": math.inf}, "render_config cannot be written as JSON"),
        ({"denoisingEnabled": "no"}, "denoisingEnabled: .*a Jinja template renders to text"),
        ({"denoisingEnabled": 1}, "denoisingEnabled"),
        ({"outputSettings": {"colorDepth": True}}, r"outputSettings\.colorDepth"),
        ({"outputSettings": {"colorDepth": 8.5}}, r"outputSettings\.colorDepth"),
        ({"outputSettings": {"quality": 101}}, r"outputSettings\.quality"),
        ({"unknown": datetime(2026, 1, 1)}, "render_config cannot be written as JSON"),  # noqa: DTZ001
        ({"unknown": math.nan}, "render_config cannot be written as JSON"),
        ({"notes": "\ud800"}, "render_config cannot be written as JSON"),
        ({3: 4}, "render_config"),
        ("default", "must be a dict or a RenderConfig, not str; as text, write it as JSON"),
        ('{"colorManagementPreset": ', "must be a dict or a RenderConfig, not str; as text, write it as JSON"),
        (None, "must be a dict or a RenderConfig, not NoneType"),
        ([("colorManagementPreset", "default")], "must be a dict or a RenderConfig, not list"),
    ],
)
def test_an_order_that_cannot_be_right_is_refused(client, emulator, config, why):
    if isinstance(config, dict) and config and "colorManagementPreset" not in config and "is missing" not in why:
        config = {"colorManagementPreset": "default"} | config
    with pytest.raises(RenderjuiceInputError, match=why):
        client.start_render(JOB_ID, config)
    assert operations(emulator) == []


def test_an_order_may_be_written_in_snake_case_and_holds_only_what_was_set():
    settings = OutputSettings(color_mode="RGBA", color_depth="16")
    config = RenderConfig(color_management_preset="aces", sample_count=64, fps=None, output_settings=settings)
    assert check_render_config(config).to_json() == {
        "colorManagementPreset": "aces",
        "sampleCount": 64,
        "outputSettings": {"colorMode": "RGBA", "colorDepth": "16"},
    }


@BOTH
@pytest.mark.parametrize("key", ["", "  ", None, 7, b"RJ-x", "RJ-a b", "RJ-a\nb", "RJ-\u00e9", "RJ-\0"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(kind, key):
    with pytest.raises(
        RenderjuiceInputError, match="The API key is empty or holds characters that no key has"
    ) as caught:
        kind(key)
    assert not key or not str(key).strip() or str(key) not in str(caught.value)


@BOTH
def test_blanks_around_a_key_are_a_slip(kind):
    assert kind(" RJ-key\n")._wire_settings.api_key == "RJ-key"


@BOTH
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is not an http or https address"),
        (None, "is not an http or https address"),
        (7, "cannot be read"),
        ("api.renderjuice.com", "is not an http or https address"),
        ("ftp://api.renderjuice.com", "is not an http or https address"),
        ("file:///etc/passwd", "is not an http or https address"),
        ("https://", "is not an http or https address"),
        ("https://[::1", "cannot be read"),
        ("https://host:99999", "cannot be read"),
        ("https://user:secret@host", "holds credentials"),
        ("http://api.renderjuice.com", "is plain http to another machine"),
        ("http://192.168.0.5:8787", "is plain http to another machine"),
        ("http://127.0.0.1.evil.test", "is plain http to another machine"),
        ("https://host/a?token=secret", "holds characters that no base URL has"),
        ("https://host/a b", "holds characters that no base URL has"),
        ("https://host/#top", "holds characters that no base URL has"),
    ],
)
def test_an_address_that_would_not_do_is_refused(kind, url, why):
    with pytest.raises(RenderjuiceInputError, match=why) as caught:
        kind("RJ-key", url)
    assert DEFAULT_BASE_URL in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8787", "http://127.0.0.1:1", "http://[::1]:1", "http://127.9.9.9", "http://a.localhost"]
)
def test_plain_http_to_this_machine_is_allowed(url):
    assert check_base_url(f" {url}/ ", allow_http=False) == url


def test_plain_http_to_another_machine_is_allowed_on_demand():
    assert address_problem("http://emulator:8787", allow_http=True) == ""
    assert RenderjuiceClient("RJ-key", "http://emulator:8787/v1", allow_http=True)


@BOTH
@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1}, {"timeout": math.nan}, {"max_attempts": 0}])
def test_impossible_patience_is_refused(kind, options):
    with pytest.raises(RenderjuiceInputError, match="timeout must be above 0"):
        kind("RJ-key", **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("destination", ["s3://bucket/shots", "memory://out"])
def test_a_destination_that_is_a_url_as_mere_text_does_not_become_a_folder(emulator, kind, destination):
    client = connect(kind, emulator)
    with pytest.raises(RenderjuiceInputError, match="is a URL: pass it as ObjectStoragePath"):
        client.download_outputs(JOB_ID, destination)
    assert operations(emulator) == []
    client.close()
