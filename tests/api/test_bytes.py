"""The bytes of a file: whole, or gone on with, or given up in time, whatever a store sends."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

import httpx
import pytest

from renderjuice_provider.api import _resuming
from renderjuice_provider.api._attempt import Breakable
from renderjuice_provider.api._bytes import CHUNK, Stores
from renderjuice_provider.api._flow import FetchFile, Flow, NoResponse, PutFile, Response
from renderjuice_provider.api._journal import Journal
from renderjuice_provider.api._partial_file import PartialFileWriter
from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import Bill, RenderjuiceTransferError
from renderjuice_provider.api.scene_file import SceneFile
from tests.support.http_server import Reply, serving

WHOLE = bytes(range(256)) * 4000
CUT = 300_000
TAG = '"copy-1"'


@pytest.fixture
def stores():
    made = Stores(5.0, "http://127.0.0.1")
    yield made
    made.close()


def fetch(stores, url, path, **more):
    return stores.fetch(FetchFile(url, path, **more), Breakable(5.0))


@contextmanager
def speaking(*answers, closes=True):
    """A server that answers each request with the next bytes, and hangs up after them."""
    met = []

    def serve():
        with suppress(OSError):
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    met.append(connection.recv(1 << 16))
                    connection.sendall(answer)
                    while not closes and (more := connection.recv(1 << 16)):
                        met.append(more)
                        connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/0001.png?token=sIgNaTuRe", met
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def head(status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


OK = head(Content_Length=len(WHOLE))
CHUNKED = head(Transfer_Encoding="chunked") + b"7d000;x=y\r\n" + WHOLE[:512000] + b"\r\n"
CHUNKED += b"7D000\r\n" + WHOLE[512000:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        OK + WHOLE,
        CHUNKED,
        head() + WHOLE,
        head("103 Early Hints", Link="</a>") * 3 + OK + WHOLE,
        head("100 Continue") + head("103 Early Hints") + OK + WHOLE,
        b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE,
    ],
    ids=["a length", "chunks", "until the end", "hints", "continue", "HTTP 1.0"],
)
def test_a_file_arrives_whole_however_it_is_framed(stores, tmp_path, answer):
    with speaking(answer) as (url, _):
        outcome = fetch(stores, url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == WHOLE
    assert (outcome.received.size, outcome.received.sha256) == (len(WHOLE), hashlib.sha256(WHOLE).hexdigest())


@pytest.mark.parametrize(
    "answer",
    [
        OK + WHOLE[:CUT],
        CHUNKED[:CUT],
        OK,
        b"",
        b"\0" * 500,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        head(**{f"X{number}": "y" for number in range(200)}),
        head("103 Early Hints"),
        b"sIgNaTuRe",
        head(Content_Length="5, 9") + WHOLE[:9],
        head(Content_Length=5)[:-2] + b"content-length: 9\r\n\r\n" + WHOLE[:9],
        head(Content_Length="9, 9") + WHOLE[:9],
        head(Content_Length="many") + WHOLE,
        head(Content_Length="-1") + WHOLE,
        head(Content_Length="1_0") + WHOLE[:10],
        head(Transfer_Encoding="gzip, chunked") + CHUNKED.partition(b"\r\n\r\n")[2],
        head(Transfer_Encoding="chunked ") + CHUNKED.partition(b"\r\n\r\n")[2],
        b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 1024000\r\n\r\n" + WHOLE[:CUT],
        b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 1024000\r\n\r\n" + WHOLE[:CUT],
        head(Transfer_Encoding="chunked") + b"3\r\nabc\r\n0",
        head(Transfer_Encoding="chunked") + b"3\r\nabc\r\n00\r",
        head(Transfer_Encoding="chunked") + b"-3\r\n" + bytes(CHUNK - 3) + b"\r\n0\r\n\r\n",
        head(Transfer_Encoding="chunked") + b"0x3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_whole_file_is_none_and_leaves_nothing(stores, tmp_path, answer):
    with speaking(answer) as (url, _):
        outcome = fetch(stores, url, tmp_path / "part")
    assert isinstance(outcome, NoResponse)
    assert outcome.sent
    assert outcome.transient
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_not_http_shows_no_url(stores, tmp_path):
    with speaking(b"GET /0001.png?token=sIgNaTuRe HTTP/1.1\r\nHost: x\r\n\r\n") as (url, _):
        assert fetch(stores, url, tmp_path / "part").reason == "RemoteProtocolError: the answer is not HTTP"


def test_what_http_client_prints_shows_no_url(stores, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    with speaking(OK + WHOLE) as (url, _):
        assert fetch(stores, url, tmp_path / "part").received
    assert "sIgNaTuRe" not in "".join(capfd.readouterr())


def test_a_piece_that_nobody_asked_for_is_no_file(stores, tmp_path):
    with speaking(head(Content_Length=CUT, Content_Range=f"bytes 0-{CUT - 1}/{len(WHOLE)}") + WHOLE[:CUT]) as (url, _):
        assert fetch(stores, url, tmp_path / "part").received is None
    assert list(tmp_path.iterdir()) == []


def test_headers_that_come_twice_are_joined(stores, tmp_path):
    twice = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\ncontent-encoding: gzip\r\n\r\n"
    with speaking(twice) as (url, _):
        assert "compressed as gzip, gzip" in fetch(stores, url, tmp_path / "part").reason


# Going on with what is there


def a_store(sent, **headers):
    """Answers a Range as its headers say; `sent` is what it has."""

    def reply(request):
        asked = request.headers.get("Range", "")
        given = {"ETag": TAG, "Content-Type": "image/png"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if not asked or request.headers.get("If-Range") != given["ETag"]:
            return Reply(200, sent, given)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(sent):
            return Reply(416, b"", given)
        spread = {"Content-Range": f"bytes {start}-{len(sent) - 1}/{len(sent)}"}
        return Reply(206, sent[start:], spread | given)

    return serving(reply)


def go_on(stores, url, path, validator=TAG):
    noted = []
    outcome = fetch(stores, url, path, resume_from=CUT, validator=validator, on_validator=noted.append)
    return outcome, noted


def test_the_rest_of_a_file_alone_is_fetched_and_all_of_it_hashed(stores, tmp_path):
    (tmp_path / "part").write_bytes(WHOLE[:CUT] + b"written, but not noted any more" * 50_000)
    with a_store(WHOLE) as server:
        outcome, noted = go_on(stores, server.url, tmp_path / "part")
        assert server.requests[0].headers["Range"] == f"bytes={CUT}-"
    assert (tmp_path / "part").read_bytes() == WHOLE
    assert outcome.status == 206
    assert outcome.received.size == len(WHOLE)
    assert outcome.received.sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert noted == [TAG]


@pytest.mark.parametrize("headers", [{"ETag": '"copy-2"'}, {"ETag": 'W/"copy-1"'}])
def test_a_copy_that_has_changed_is_fetched_whole(stores, tmp_path, headers):
    (tmp_path / "part").write_bytes(b"x" * CUT)
    with a_store(WHOLE, **headers) as server:
        outcome, _ = go_on(stores, server.url, tmp_path / "part")
    assert outcome.status == 200
    assert (tmp_path / "part").read_bytes() == WHOLE
    assert outcome.received.sha256 == hashlib.sha256(WHOLE).hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Range": f"bytes {CUT + 1}-{len(WHOLE) - 1}/{len(WHOLE)}"},
        {"Content_Range": f"bytes {CUT}-{len(WHOLE) - 2}/{len(WHOLE)}"},
        {"Content_Range": f"bytes {CUT}-{len(WHOLE) - 1}/*"},
        {"Content_Range": "nonsense"},
        {"Content_Range": ""},
    ],
)
def test_another_piece_than_was_asked_for_is_no_file_and_changes_none(stores, tmp_path, headers):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    with a_store(WHOLE, **headers) as server:
        outcome, noted = go_on(stores, server.url, tmp_path / "part")
    assert isinstance(outcome, Response)
    assert (outcome.status, outcome.received, noted) == (206, None, [])
    assert (tmp_path / "part").read_bytes() == WHOLE[:CUT]


MODIFIED = "Fri, 27 Nov 2026 04:00:00 GMT"
LATER = "Fri, 27 Nov 2026 05:00:00 GMT"


def a_piece(sent, **headers):
    spread = {"Content_Range": f"bytes {CUT}-{len(WHOLE) - 1}/{len(WHOLE)}"}
    return head("206 Partial Content", **spread | headers) + sent


@pytest.mark.parametrize(
    ("validator", "headers"),
    [
        (TAG, {"ETag": '"copy-2"'}),
        (TAG, {"ETag": f"W/{TAG}"}),
        (TAG, {"Last_Modified": MODIFIED}),
        (TAG, {}),
        (MODIFIED, {"Last_Modified": LATER}),
        (MODIFIED, {"ETag": 'W/"1"', "Last_Modified": LATER}),
        (TAG, {"ETag": TAG, "Content_Encoding": "gzip"}),
    ],
)
def test_a_piece_of_another_copy_is_no_file(stores, tmp_path, validator, headers):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    with speaking(a_piece(WHOLE[CUT:], Content_Length=len(WHOLE) - CUT, **headers)) as (url, _):
        assert go_on(stores, url, tmp_path / "part", validator)[0].received is None
    assert (tmp_path / "part").read_bytes() == WHOLE[:CUT]


@pytest.mark.parametrize("headers", [{}, {"Last_Modified": MODIFIED}, {"ETag": 'W/"1"'}])
def test_the_date_of_a_copy_may_be_left_out_of_its_pieces(stores, tmp_path, headers):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    with speaking(a_piece(WHOLE[CUT:], Content_Length=len(WHOLE) - CUT, **headers)) as (url, _):
        assert go_on(stores, url, tmp_path / "part", MODIFIED)[0].received.size == len(WHOLE)


@pytest.mark.parametrize("sent", [WHOLE[CUT:-1], WHOLE[CUT:] + b"x", b""])
def test_a_piece_of_another_length_than_its_store_says_is_no_file(stores, tmp_path, sent):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    with speaking(a_piece(sent, ETag=TAG, Content_Length=len(sent))) as (url, _):
        outcome, _ = go_on(stores, url, tmp_path / "part")
    assert isinstance(outcome, NoResponse)
    assert f"and not {len(WHOLE)} as its store says" in outcome.reason


def test_a_wrong_piece_may_be_of_any_length_and_is_not_read(stores, tmp_path):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    kind = "multipart/byteranges; boundary=x"
    with speaking(head("206 Partial Content", Content_Length=1 << 40, Content_Type=kind) + WHOLE) as (url, _):
        outcome, _ = go_on(stores, url, tmp_path / "part")
    assert (outcome.status, outcome.received) == (206, None)


def test_what_begins_again_and_breaks_off_is_not_gone_on_with(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(_resuming, "_LEAST", 1)
    file = _resuming.PartialFile(Journal("job"), PurePosixPath("0001.png"), tmp_path / "part")
    tagged = head(Content_Length=len(WHOLE), ETag=TAG) + WHOLE[:CUT]
    with speaking(tagged, OK + WHOLE[:CUT], OK + WHOLE) as (url, met):
        outcomes = [stores.fetch(file.fetch(url), Breakable(5.0)) for _ in range(3)]
    assert ["Range" in request.decode() for request in met] == [False, True, False]
    assert outcomes[2].received.size == len(WHOLE)


def test_a_store_with_less_than_is_there_says_so(stores, tmp_path):
    (tmp_path / "part").write_bytes(WHOLE[:CUT])
    with a_store(WHOLE[:CUT]) as server:
        assert go_on(stores, server.url, tmp_path / "part")[0].status == 416


def test_bytes_that_are_gone_are_not_gone_on_with(stores, tmp_path):
    (tmp_path / "part").write_bytes(WHOLE[: CUT - 1])
    with a_store(WHOLE) as server, pytest.raises(RenderjuiceTransferError, match="1 bytes of it are gone"):
        go_on(stores, server.url, tmp_path / "part")
    assert list(tmp_path.iterdir()) == []


def test_without_a_validator_nothing_is_asked_for_in_pieces(stores, tmp_path):
    (tmp_path / "part").write_bytes(b"x" * CUT)
    with a_store(WHOLE) as server:
        assert go_on(stores, server.url, tmp_path / "part", validator="")[0].status == 200
        assert "Range" not in server.requests[0].headers
    assert (tmp_path / "part").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": TAG}, TAG),
        ({"ETag": TAG, "Last_Modified": MODIFIED}, TAG),
        ({"ETag": 'W/"1"', "Last_Modified": MODIFIED}, MODIFIED),
        ({"Last_Modified": MODIFIED}, MODIFIED),
        ({"ETag": 'W/"1"'}, None),
        ({"ETag": TAG, "Accept_Ranges": "none"}, None),
        ({"ETag": TAG, "Content_Encoding": "identity"}, None),
        ({}, None),
    ],
)
def test_what_arrived_stays_only_where_the_store_can_go_on_with_it(stores, tmp_path, headers, validator):
    noted = []
    with speaking(head(Content_Length=len(WHOLE), **headers) + WHOLE[:CUT]) as (url, _):
        outcome = fetch(stores, url, tmp_path / "part", on_validator=noted.append)
    assert isinstance(outcome, NoResponse)
    assert noted == ([validator] if validator else [])
    there = [path.read_bytes() for path in tmp_path.iterdir()]
    assert there == ([WHOLE[:CUT]] if validator else [])


def test_a_full_disk_leaves_nothing_to_go_on_with(stores, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with a_store(WHOLE) as server, pytest.raises(RenderjuiceTransferError, match="No space left"):
        fetch(stores, server.url, tmp_path / "part", on_validator=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_to_go_on_with(stores, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with a_store(WHOLE) as server:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * CUT, before[1]))
        try:
            with pytest.raises(RenderjuiceTransferError, match=r"Cannot write .*: File too large"):
                fetch(stores, server.url, tmp_path / "part", on_validator=lambda _: None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


# Connections


def test_files_of_one_store_come_over_one_connection(stores, tmp_path, scene):
    with serving(lambda _: Reply(200, WHOLE)) as server:
        for _ in range(5):
            assert fetch(stores, server.url, tmp_path / "part").received
        assert stores.put(PutFile(server.url, SceneFile.check(scene)), Breakable(5.0)).ok
        assert len(server.connections) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_does_not_cost_the_connection(stores, tmp_path, status):
    with serving(lambda _: Reply(status, b"<Error/>")) as server:
        for _ in range(3):
            assert fetch(stores, server.url, tmp_path / "part").body == b"<Error/>"
        assert len(server.connections) == 1


def test_a_connection_that_the_store_has_closed_is_not_used_again(stores, tmp_path):
    with speaking(*[OK + WHOLE] * 3) as (url, met):
        for _ in range(3):
            assert fetch(stores, url, tmp_path / "part").received
            time.sleep(0.05)  # until the store has hung up
        assert len(met) == 3


def test_a_connection_that_was_idle_for_long_is_not_used_again(stores, tmp_path, monkeypatch):
    monkeypatch.setattr("renderjuice_provider.api._store_connections._FRESH", 0.0)
    with serving(lambda _: Reply(200, WHOLE)) as server:
        for _ in range(3):
            assert fetch(stores, server.url, tmp_path / "part").received
        assert len(server.connections) == 3


def test_a_connection_whose_file_broke_off_is_not_used_again(stores, tmp_path, monkeypatch):
    def full(*_):
        raise RenderjuiceTransferError("full", bill=Bill.KEPT)

    with serving(lambda _: Reply(200, WHOLE)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(PartialFileWriter, "write", full)
            with pytest.raises(RenderjuiceTransferError):
                fetch(stores, server.url, tmp_path / "part")
        assert fetch(stores, server.url, tmp_path / "part").received
        assert (tmp_path / "part").read_bytes() == WHOLE
        assert len(server.connections) == 2


def test_lanes_do_not_mix_their_bytes(stores, tmp_path):
    def one(number):
        content = hashlib.sha256(str(number).encode()).hexdigest()
        assert fetch(stores, f"{server.url}/{number}", tmp_path / str(number)).received
        assert (tmp_path / str(number)).read_bytes() == content.encode() * 20_000

    def reply(request):
        return Reply(200, hashlib.sha256(request.path[1:].encode()).hexdigest().encode() * 20_000)

    with serving(reply) as server, ThreadPoolExecutor(16) as lanes:
        list(lanes.map(one, range(64)))


# Uploads


@pytest.mark.parametrize("status", [403, 503])
def test_a_store_that_answers_before_it_has_all_is_heard(stores, tmp_path, status):
    path = tmp_path / "shot.blend"
    path.write_bytes(bytes(64 << 20))
    with speaking(head(f"{status} No", Content_Length=5) + b"never") as (url, _):
        outcome = stores.put(PutFile(url, SceneFile(path, 64 << 20, None)), Breakable(5.0))
    assert (outcome.status, outcome.body) == (status, b"never")


# An end in time


def one_step(step) -> Flow[Response | NoResponse]:
    return (yield from step)


@contextmanager
def deaf():
    """The address of a server that takes no connection: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            with suppress(BlockingIOError):
                waiting[-1].connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize("what", ["connecting", "a response", "a file", "an upload"])
def test_a_cancelled_transfer_ends_at_once(tmp_path, what):
    path = tmp_path / "shot.blend"
    path.write_bytes(bytes(64 << 20))
    silent = speaking(OK + WHOLE[:CUT] if what == "a file" else b"", closes=False)
    with deaf() if what == "connecting" else silent as server:
        url = server if isinstance(server, str) else server[0]
        put = PutFile(url, SceneFile(path, 64 << 20, None))
        step = put if what == "an upload" else FetchFile(url, tmp_path / "part")

        async def work():
            async with AsyncRenderjuiceClient("RJ-x", "http://127.0.0.1:1", timeout=60.0) as client:
                task = asyncio.ensure_future(client.run(one_step(step)))
                await asyncio.sleep(0.3)
                began = time.monotonic()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return time.monotonic() - began

        assert asyncio.run(work()) < 3
    assert not (tmp_path / "part").exists()


def test_what_was_broken_off_before_it_began_does_not_begin(stores, tmp_path):
    current = Breakable(5.0)
    assert current.break_off() is False
    with serving(lambda _: Reply(200, WHOLE)) as server:
        assert isinstance(stores.fetch(FetchFile(server.url, tmp_path / "part"), current), NoResponse)
        assert server.requests == []


def test_a_connection_that_comes_after_the_end_is_not_used():
    current = Breakable(5.0)
    current.break_off()
    near, far = socket.socketpair()
    with near, far, pytest.raises(httpx.ReadTimeout), current.holding(near):
        near.sendall(b"GET / HTTP/1.1")


def test_a_refusal_is_not_waited_for_as_long_as_a_file(tmp_path):
    stores = Stores(0.05, "http://127.0.0.1")
    with speaking(head("403 No", Content_Length=100), closes=False) as (url, _):
        outcome = stores.fetch(FetchFile(url, tmp_path / "part"), Breakable(60.0))
        stores.close()
    assert outcome == NoResponse("ReadTimeout: the response did not end within 0.2 s", sent=True)


def test_what_stalls_is_given_up_and_the_reason_is_no_secret(stores, tmp_path):
    with speaking(OK + WHOLE[:CUT], closes=False) as (url, _):
        outcome = stores.fetch(FetchFile(url, tmp_path / "part"), Breakable(0.3))
    assert outcome == NoResponse("ReadTimeout: the response did not end within 0.3 s", sent=True)
