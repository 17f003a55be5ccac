"""Files reach their stores on every way that a network has: TLS, IPv6, and proxies of all kinds."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from renderjuice_provider.api._attempt import Breakable
from renderjuice_provider.api._bytes import Stores
from renderjuice_provider.api._flow import FetchFile, NoResponse, PutFile, Response
from renderjuice_provider.api._settings import certificates
from renderjuice_provider.api.errors import RenderjuiceConnectionError, RenderjuiceInputError
from renderjuice_provider.api.scene_file import SceneFile
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving
from tests.support.proxy_server import proxying
from tests.support.tls import authority

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
PIXELS = b"pixels" * 50_000


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch):
    for name in (*VARIABLES, *map(str.lower, VARIABLES), *BUNDLES):
        monkeypatch.delenv(name, raising=False)
    certificates.cache_clear()
    yield
    certificates.cache_clear()


@pytest.fixture
def trusted(monkeypatch, tmp_path_factory):
    """A server's TLS, of an authority that this machine trusts."""
    file, context = authority(tmp_path_factory.mktemp("tls"))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.fixture
def stores():
    made = Stores(5.0, "http://127.0.0.1")
    yield made
    made.close()


def pixels(request):
    return Reply(200, PIXELS if request.method == "GET" else b"", {"Content-Type": "image/png"})


def fetch(stores, url, path, **more):
    return stores.fetch(FetchFile(url, path, **more), Breakable(5.0))


def put(stores, url, scene):
    return stores.put(PutFile(url, SceneFile.check(scene)), Breakable(5.0))


@pytest.mark.parametrize(("status", "is_ended"), [(200, True), (200, False), (403, False)])
def test_without_a_length_only_what_its_store_has_ended_is_whole(stores, trusted, tmp_path, status, is_ended):
    def serve():
        connection, _ = listener.accept()
        with trusted.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1 << 16)
            secured.sendall(f"HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n".encode() + PIXELS)
            if is_ended:
                with suppress(OSError):  # the other side may just hang up
                    secured.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        outcome = fetch(stores, f"https://127.0.0.1:{listener.getsockname()[1]}/0001.png", tmp_path / "part")
        if is_ended:
            assert outcome.received.size == len(PIXELS)
        else:
            assert list(tmp_path.iterdir()) == []
            assert isinstance(outcome, NoResponse) if status == 200 else outcome.status == status


@pytest.mark.parametrize(
    ("scheme", "proxy"),
    [*(("https", kind) for kind in ("http", "https", "socks5", "socks5h")), ("http", "socks5"), ("http", "socks5h")],
)
@pytest.mark.parametrize("password", ["", "me:p%40ss@"])
def test_files_go_by_way_of_any_proxy_which_alone_gets_its_password(
    stores, trusted, monkeypatch, tmp_path, scene, scheme, proxy, password
):
    if proxy.startswith("socks"):
        pytest.importorskip("socks")
    tls = trusted if scheme == "https" else None
    with serving(pixels, tls=tls) as store, proxying(trusted if proxy == "https" else None) as way:
        monkeypatch.setenv(f"{scheme}_PROXY".upper(), f"{proxy}://{password}127.0.0.1:{way.port}")
        port = store.url.rpartition(":")[2]
        url = f"{scheme}://store.test:{port}/0001.png?token=x"
        for _ in range(2):
            assert fetch(stores, url, tmp_path / "0001.png").received.size == len(PIXELS)
        assert put(stores, url, scene).status == 200
        assert store.requests[-1].body == scene.read_bytes()
        assert way.asked == [f"store.test:{port}"]  # one connection for all three
        assert set(way.passwords) == ({"me:p@ss"} if password else set())
        for request in store.requests:
            assert "proxy-authorization" not in {name.lower() for name in request.headers}
            assert request.headers["Host"] == f"store.test:{port}"


@pytest.mark.parametrize("proxy", ["http", "https"])
def test_plain_http_is_handed_to_a_proxy_whole(stores, trusted, monkeypatch, tmp_path, proxy):
    with serving(pixels, tls=trusted if proxy == "https" else None) as way:
        place = way.url.rpartition("//")[2]
        monkeypatch.setenv("HTTP_PROXY", f"{proxy}://me:pass@{place}")
        assert fetch(stores, "http://store.test:81/0001.png?token=x", tmp_path / "0001.png").status == 200
        assert way.requests[0].path == "http://store.test:81/0001.png?token=x"
        assert way.requests[0].headers["Proxy-Authorization"] == "Basic bWU6cGFzcw=="
        assert way.requests[0].headers["Host"] == "store.test:81"


def test_a_proxy_that_refuses_a_tunnel_is_named(stores, trusted, monkeypatch, tmp_path):
    with serving(lambda _: Reply(407)) as way:
        monkeypatch.setenv("HTTPS_PROXY", way.url.replace("//", "//me:secret@"))
        outcome = fetch(stores, "https://store.test/0001.png?token=x", tmp_path / "0001.png")
    assert isinstance(outcome, NoResponse)
    assert not outcome.sent
    assert outcome.reason.startswith("ConnectError: ")
    assert outcome.reason.endswith("(by way of the proxy that HTTPS_PROXY names)")
    assert "secret" not in outcome.reason
    assert "token" not in outcome.reason


def test_a_socks_proxy_without_its_package_is_called_by_its_name(stores, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@proxy.test")
    with pytest.raises(RenderjuiceInputError, match=r"ALL_PROXY of this machine .*PySocks.*\[socks\]") as caught:
        fetch(stores, "https://store.test/0001.png?token=x", tmp_path / "0001.png")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", BUNDLES)
def test_with_the_authority_trusted_an_api_and_its_stores_are_reached(
    new_client, monkeypatch, tmp_path, tmp_path_factory, variable
):
    file, context = authority(tmp_path_factory.mktemp("tls"))
    if variable == "SSL_CERT_DIR":
        folder = tmp_path_factory.mktemp("hashed")
        subject = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", str(file)], capture_output=True, text=True, check=True
        )
        (folder / f"{subject.stdout.strip()}.0").write_bytes(file.read_bytes())
        file = folder

    def reply(request):
        if "downloads" in request.path:
            return answer({"frames": [f"https://{request.headers['Host']}/0001.png?token=x"]})
        return answer(a_job("completed")) if "/jobs/" in request.path else pixels(request)

    with serving(reply, tls=context) as server:
        with pytest.raises(RenderjuiceConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            new_client(base_url=server.url, max_attempts=1).get_job(JOB_ID)
        certificates.cache_clear()
        monkeypatch.setenv(variable, str(file))
        report = new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")
    assert report.size == len(PIXELS)


def test_a_store_that_nobody_vouches_for_gets_nothing(stores, tmp_path, tmp_path_factory, scene):
    _, context = authority(tmp_path_factory.mktemp("tls"))
    with serving(pixels, tls=context) as store:
        for outcome in (fetch(stores, store.url, tmp_path / "0001.png"), put(stores, store.url, scene)):
            assert isinstance(outcome, NoResponse)
            assert not outcome.sent
            assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason
        assert store.requests == []


def test_a_certificate_for_another_name_is_none(stores, trusted, monkeypatch, tmp_path):
    with serving(pixels, tls=trusted) as store, proxying() as way:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{way.port}")
        outcome = fetch(stores, f"https://other.test:{store.url.rpartition(':')[2]}/", tmp_path / "0001.png")
        assert isinstance(outcome, NoResponse)
        assert "Hostname mismatch" in outcome.reason
        assert store.requests == []


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_store_may_have_an_ipv6_address(stores, tmp_path, scene):
    with serving(pixels, host="::1") as store:
        assert fetch(stores, f"{store.url}/0001.png", tmp_path / "0001.png").received.size == len(PIXELS)
        assert put(stores, f"{store.url}/put", scene).status == 200
        assert store.requests[0].headers["Host"] == store.url.partition("//")[2]


@pytest.mark.parametrize("proxied", [False, True])
def test_a_file_under_tls_can_be_broken_off_too(stores, trusted, monkeypatch, tmp_path, proxied):
    over = threading.Event()

    def halting(request):
        return Reply(200, iter(lambda: b"" if over.wait(30) else b"late", b""), {"Content-Length": "10"})

    with serving(halting, tls=trusted) as store, proxying(trusted) as way:
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{way.port}")
        url = f"https://{'store.test' if proxied else '127.0.0.1'}:{store.url.rpartition(':')[2]}/0001.png"
        current, outcomes = Breakable(60.0), []
        lane = threading.Thread(
            target=lambda: outcomes.append(stores.fetch(FetchFile(url, tmp_path / "part"), current))
        )
        lane.start()
        time.sleep(0.3)
        assert current.break_off()
        lane.join(5)
        assert not lane.is_alive()
        over.set()
    assert isinstance(outcomes[0], NoResponse)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_was_asked_nothing(stores, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/0001.png?token=x"
    outcome = fetch(stores, url, tmp_path / "0001.png")
    assert outcome == NoResponse("ConnectError: [Errno 111] Connection refused", sent=False)
    assert fetch(stores, "http://no-such-host.invalid/?token=x", tmp_path / "0001.png").sent is False


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/a b.png?token=x y", "/a%20b.png?token=x%20y"),
        ("/é.png", "/%C3%A9.png"),
        ("/a%20b.png?x=%2F%3D+&y=a/b:c,d;e'()*!~$@|{}^`", "/a%20b.png?x=%2F%3D+&y=a/b:c,d;e'()*!~$@|{}^`"),
        ("?token=x", "/?token=x"),
        ("", "/"),
        ("/0001.png#part", "/0001.png"),
        ("/a\r\nX-Evil: 1", "/aX-Evil:%201"),
    ],
)
def test_a_signed_url_arrives_as_it_was_signed(stores, tmp_path, asked, sent):
    with serving(pixels) as store:
        assert isinstance(fetch(stores, store.url + asked, tmp_path / "0001.png"), Response)
        assert store.requests[0].path == sent
        assert "X-Evil" not in store.requests[0].headers
