"""The API key goes to the API's own origin only.

Neither it nor a signature appears in anything that is shown.
"""

from __future__ import annotations

import json
import logging
import pickle
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api._flow import FetchFile, PutFile, Response
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceServerError
from renderjuice_provider.api.models import Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.progress import read_progress
from renderjuice_provider.api.redact import DEEPEST, LONGEST, MOST, redact, storable
from renderjuice_provider.api.report import DownloadedFile, DownloadReport
from tests.support.both_clients import CONFIG, completed, operations, validated
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

KEY = "RJ-top-secret-key-0815"
SIGNED = "https://store.test/a/0001.png?token=sIgNaTuRe"


@pytest.fixture
def shown(caplog):
    """All that was logged, by anyone, at any level."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "renderjuice_provider"):
        caplog.set_level(logging.DEBUG, logger=name)

    def text() -> str:
        assert any(record.name.startswith("httpcore") for record in caplog.records)
        assert any(record.name == "httpx" for record in caplog.records)
        ours = [record for record in caplog.records if not record.name.startswith(("renderjuice_emulator", "uvicorn"))]
        return "\n".join(f"{record.getMessage()} {record.args} {record.exc_info}" for record in ours)

    return text


def everything_about(error: BaseException) -> str:
    return "\n".join(
        [
            *traceback.format_exception(error),
            repr(error),
            repr(error.args),
            repr(vars(error)),
            repr(error.__cause__),
            repr(error.__context__),
        ]
    )


def test_a_whole_job_shows_neither_key_nor_signature(client, emulator, tmp_path, shown):
    emulator.faults.add("put_upload", "503", "reset-before", "expired")
    emulator.faults.add("download_file", "503", "truncate", "expired")
    job = completed(client, tmp_path)
    targets = client.get_downloads(job.id)
    report = client.download_outputs(job.id, tmp_path / "out")
    token = targets.frame_files[0].url.partition("token=")[2]
    for text in (shown(), repr(client.client), repr(client._wire_settings), repr(targets), repr(report), repr(job)):
        assert emulator.api_key not in text
        assert "token=" not in text
        assert token not in text
    assert "token" not in str(report.to_json())


def test_the_key_goes_to_the_api_and_to_no_store(client, emulator, tmp_path):
    client.download_outputs(completed(client, tmp_path).id, tmp_path / "out")
    for entry in emulator.ledger.entries:
        assert entry.had_authorization == (entry.operation not in {"put_upload", "download_file"}), entry
    assert emulator.ledger.count("put_upload", status=200) == 1
    assert emulator.ledger.count("download_file", status=200) == 3


@pytest.mark.parametrize("code", [400, 401, 402, 404, 409, 429, 500])
def test_an_error_that_echoes_the_key_and_a_signed_url_shows_neither(new_client, code):
    words = f"bad key {KEY}, see {SIGNED} or https://me:{KEY}@store.test/"
    with serving(lambda _: answer({"message": words}, code)) as server:
        client = new_client(api_key=KEY, base_url=server.url, max_attempts=2)
        for call in (client.get_job, client.validate_job, client.create_job, client.cancel_job):
            with pytest.raises(RenderjuiceError) as caught:
                call(JOB_ID)
            assert KEY not in everything_about(caught.value)
            assert "sIgNaTuRe" not in everything_about(caught.value)
            assert "https://store.test/a/0001.png?***" in str(caught.value)


@pytest.mark.parametrize("fault", ["reset-before", "reset-after", "stall 2", "truncate", "nonsense", "500"])
def test_no_failure_shows_key_or_signature(new_client, emulator, tmp_path, scene, shown, fault):
    client = new_client(timeout=0.1, max_attempts=1)
    patient = new_client()
    job = completed(patient, tmp_path)
    token = patient.get_downloads(job.id).frame_files[0].url.partition("token=")[2]
    calls = {
        "get_job": lambda: client.get_job(job.id),
        "create_job": lambda: client.create_job("slug"),
        "get_downloads": lambda: client.get_downloads(job.id),
        "put_upload": lambda: client.upload(scene),
        "download_file": lambda: client.download_outputs(job.id, tmp_path / "out"),
    }
    for operation, call in calls.items():
        if (operation, fault) in {("put_upload", "nonsense"), ("create_job", "reset-after")}:
            continue  # a success for all that a client can know; and an answer that the emulator has no time to lose
        emulator.faults.add(operation, fault)
        with pytest.raises(RenderjuiceError) as caught:
            call()
        text = everything_about(caught.value)
        assert emulator.api_key not in text, operation
        assert "token=" not in text, operation
        emulator.faults.clear()
    assert token not in shown()
    assert emulator.api_key not in shown()


def test_a_redirect_from_the_api_takes_the_key_nowhere(new_client, shown):
    with serving(lambda _: answer(a_job("completed"))) as elsewhere:

        def reply(_):
            return Reply(307, b"", {"Location": f"{elsewhere.url}/jobs?token=sIgNaTuRe"})

        with serving(reply) as server:
            client = new_client(api_key=KEY, base_url=server.url, max_attempts=2)
            for call in (client.get_job, client.validate_job, client.cancel_job, client.get_downloads):
                with pytest.raises(RenderjuiceServerError):
                    call(JOB_ID)
            with pytest.raises(RenderjuiceServerError):
                client.start_render(JOB_ID, CONFIG)
        assert elsewhere.requests == []
    assert "sIgNaTuRe" not in shown()
    assert KEY not in shown()


def test_a_redirect_of_a_download_is_followed_without_anything_of_ours(new_client, tmp_path, shown):
    with serving(lambda _: Reply(200, b"pixels", {"Content-Type": "image/png"})) as cdn:

        def reply(request):
            if request.path.startswith("/store"):
                signed = f"{cdn.url}/0001.png?token=sIgNaTuRe"
                return Reply(302, b"", {"Location": signed, "Set-Cookie": "session=sIgNaTuRe"})
            if request.path.endswith("downloads"):
                url = f"http://{request.headers['Host']}/store/0001.png?token=x"
                return answer({"frames": [url, url + "2"], "compositeNodes": [], "transforms": {}})
            return answer(a_job("completed"))

        with serving(reply) as server:
            client = new_client(api_key=KEY, base_url=server.url)
            assert client.download_outputs(JOB_ID, tmp_path / "out").size == 12
            asked = [request for request in server.requests if request.path.startswith("/store")] + cdn.requests
    assert len(asked) == 4
    for request in asked:
        assert not {"authorization", "cookie"} & {name.lower() for name in request.headers}
    assert "sIgNaTuRe" not in shown()


def test_an_upload_says_how_long_it_is_and_is_never_chunked(new_client, scene):
    def reply(request):
        if request.method == "PUT":
            return Reply(200, b"", {"Set-Cookie": "a=b"})
        return answer({"uploadUrl": f"http://{request.headers['Host']}/put?token=x", "slug": "s"})

    with serving(reply) as server:
        client = new_client(base_url=server.url)
        client.upload(scene)
        client.upload(scene)
        puts = [request for request in server.requests if request.method == "PUT"]
    assert [put.body for put in puts] == [scene.read_bytes()] * 2
    for put in puts:
        headers = {name.lower(): value for name, value in put.headers.items()}
        assert headers["content-length"] == str(scene.stat().st_size)
        assert not {"transfer-encoding", "authorization", "cookie", "content-type"} & headers.keys()


@pytest.mark.parametrize(
    "url", ["http://store.test/x?token=x", "ftp://store.test/x", "file:///etc/passwd", "nonsense", ""]
)
def test_a_signed_url_that_would_show_everything_or_is_none_is_not_used(new_client, scene, tmp_path, url):
    def reply(request):
        if request.path.endswith("downloads"):
            return answer({"frames": [url], "compositeNodes": []})
        return answer(a_job("completed") if request.method == "GET" else {"uploadUrl": url, "slug": "s"})

    with serving(reply) as server:
        client = new_client(base_url=server.url, max_attempts=2)
        with pytest.raises(RenderjuiceError):
            client.upload(scene)
        with pytest.raises(RenderjuiceError):
            client.download_outputs(JOB_ID, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.p*"))


def test_models_and_steps_keep_urls_out_of_their_repr(tmp_path):
    item = {"url": SIGNED, "fileName": "0001.png", "later": SIGNED}
    shown = [
        UploadTarget.model_validate({"uploadUrl": SIGNED, "slug": "s", "headers": SIGNED}),
        Downloads.model_validate({"frames": [SIGNED], "frameOutputs": [item], "transforms": {"framesZip": SIGNED}}),
        Job.model_validate(
            a_job(previewUrl=SIGNED, sceneFile=SIGNED, analysis=SIGNED, later=SIGNED, finalConfig=SIGNED)
        ),
        PutFile(SIGNED, None),
        FetchFile(SIGNED, tmp_path),
        Response(200, {}, SIGNED.encode()),
        read_progress([{"jobId": "x", "preview": SIGNED}]),
        DownloadReport("x", (DownloadedFile("frames/0001.png", "frame", 1, "00"),)),
    ]
    assert [value for value in shown if "sIgNaTuRe" in f"{value!r} {value}"] == []


def test_errors_survive_a_pickle_without_secrets(client, emulator, tmp_path):
    job = validated(client, tmp_path)
    emulator.faults.add("get_job", "404")
    with pytest.raises(RenderjuiceError) as caught:
        client.get_job(job.id)
    assert emulator.api_key.encode() not in pickle.dumps(str(caught.value))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (SIGNED, "https://store.test/a/0001.png?***"),
        ("HTTPS://A.test/?x=1 and s3://b/k?X-Amz-Signature=1", "HTTPS://A.test/?*** and s3://b/k?***"),
        ("https:/lost.test/slash?x=1", "https:/lost.test/slash?***"),
        ("see <https://a.test/#secret>", "see <https://a.test/?***>"),
        ("https://me:pw@a.test/x", "https://***@a.test/x"),
        ("https://me:p@ss@a.test/x", "https://***@a.test/x"),
        ("s3://me:pw@b/k?sig=1&u=https://c.test/?d", "s3://***@b/k?***"),
        ("what? really?", "what? really?"),
        (f"{KEY} {KEY}", "*** ***"),
        ("two\nlines\x1b[0m\ud800", "two lines [0m "),
    ],
)
def test_redaction(text, safe):
    assert redact(text, KEY) == safe


def test_redaction_is_short_and_quick_whatever_it_is_given():
    started = time.perf_counter()
    for text in ("https://" * 400_000, "a" * 3_000_000, "a:/" * 1_000_000, "@" * 3_000_000):
        assert len(redact(text, KEY)) <= LONGEST
    assert time.perf_counter() - started < 15  # quadratic would be minutes


def test_json_to_be_stored_loses_all_queries():
    assert storable({"a": [SIGNED, 1], "b": {"c": SIGNED}, f"{KEY} at {SIGNED}": KEY}, KEY) == {
        "a": ["https://store.test/a/0001.png?***", 1],
        "b": {"c": "https://store.test/a/0001.png?***"},
        "*** at https://store.test/a/0001.png?***": "***",
    }


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("caf\udce9.png", "caf\\udce9.png"),
        ("a\0b\x1b[0m", "a\\x00b\\x1b[0m"),
        ("two\nlines\tdeep", "two\nlines\tdeep"),
        ({"\0": float("nan")}, {"\\x00": None}),
        (
            [float("inf"), -float("inf"), 10**5000, -(2**63), 2**62, 1.5, True, None],
            [None] * 4 + [2**62, 1.5, True, None],
        ),
        ((1, {2}), [1, [2]]),
        ({1: JobStatus.FAILED}, {"1": "failed"}),
    ],
)
def test_what_is_stored_is_what_every_store_takes(value, stored):
    assert storable(value) == stored


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(_JSON)
def test_anything_can_be_stored(value):
    text = json.dumps(storable(value, KEY), allow_nan=False, ensure_ascii=False)
    assert text.encode()
    assert "\\u0000" not in text.replace("\\\\", "")


def test_what_is_stored_is_neither_deep_nor_long():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert json.dumps(storable(deep)).count("[") <= DEEPEST + 1
    for long in ("x" * 5_000_000, ["x"] * 5_000_000, [["y" * 1000]] * 100_000, {str(n): n for n in range(2_000_000)}):
        assert len(json.dumps(storable(long))) < 6 * MOST


def test_redaction_takes_time_in_proportion_to_the_text():
    def seconds(size: int) -> float:
        began = time.process_time()
        for piece in ("aa:/", "a:", "/", "aa:/?", "aa://@", "@", "aa."):
            storable(piece * (size // len(piece)))
        return time.process_time() - began

    seconds(10_000)
    assert seconds(800_000) < 32 * max(seconds(100_000), 0.01)  # 8 by rights; quadratic is 64


def test_no_server_error_is_raised_in_the_middle_of_another(client, emulator):
    """A chained httpx error would bring its request along, and with it the key."""
    emulator.faults.add("list_jobs", *["reset-before"] * 5)
    with pytest.raises(RenderjuiceError) as caught:
        client.list_jobs()
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert operations(emulator) == ["list_jobs"] * 5
