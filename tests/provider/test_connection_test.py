"""The button "Test": what it says names what to change, and it says it within five seconds."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from renderjuice_provider.api import _check as check
from renderjuice_provider.api._settings import certificates
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from tests.support.http_server import Reply, answer, serving
from tests.support.runner import connect

PATH = "/api/external/v1"
SECRET = "RJ-the-secret-of-these-tests"
LIMIT = 5.0


@pytest.fixture
def tested(monkeypatch):
    """What the button says of these fields; it takes neither long nor the key into its words."""

    def test(host, **fields):
        connect(monkeypatch, **{"host": host, "password": SECRET} | fields)
        began = time.monotonic()
        accepted, message = RenderjuiceHook().test_connection()
        assert time.monotonic() - began < LIMIT
        assert SECRET not in message
        return accepted, message

    return test


@contextmanager
def listening(handle):
    """A server below HTTP: `handle` gets each connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}{PATH}"
        server.shutdown(socket.SHUT_RDWR)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_good_connection_is_good_whatever_its_time_out_and_attempts(emulator, tested):
    accepted, message = tested(emulator.base_url, password=emulator.api_key, extra={"timeout": 600, "max_attempts": 20})
    assert (accepted, message) == (True, "Renderjuice accepts the API key.")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key(tested, status):
    with serving(lambda _: answer({"message": SECRET}, status)) as server:
        accepted, message = tested(server.url + PATH)
    assert not accepted
    assert message.startswith(f"The API key is refused ({status}) by {server.url}{PATH}: copy it again")


def test_nothing_listens(tested):
    url = f"http://127.0.0.1:{unused_port()}{PATH}"
    accepted, message = tested(url, extra={"timeout": 600, "max_attempts": 20})
    assert not accepted
    assert message.startswith(f"Nothing listens at {url}, seen from here: check host and port.")


def test_a_name_that_nobody_knows(tested):
    accepted, message = tested("https://renderjuice.invalid/x")
    assert not accepted
    assert "https://renderjuice.invalid/x" in message
    assert "check host and port" in message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b"<h1>Not Found</h1>", {"Content-Type": "text/html"}),
        answer({"detail": "Not Found"}, 404),
        Reply(200, b"<!doctype html>", {"Content-Type": "text/html"}),
        answer({"hello": "world"}),
        answer([]),
        Reply(204),
        answer({}, 405),
    ],
)
@pytest.mark.parametrize(
    ("path", "what"), [("", f"its base URL ends with {PATH}, and this one does not"), (PATH, "check the host")]
)
def test_what_is_not_renderjuice(tested, reply, path, what):
    with serving(lambda _: reply) as server:
        accepted, message = tested(server.url + path)
        assert len(server.requests) <= 2  # a list that is minded is asked for once more, without its parameters
    assert not accepted
    assert message.startswith(f"What answers at {server.url}{path} is not Renderjuice: {what}")


def test_the_emulator_without_its_path(emulator, tested):
    accepted, message = tested(emulator.base_url.removesuffix(PATH), password=emulator.api_key)
    assert not accepted
    assert f"ends with {PATH}, and this one does not" in message


def test_a_redirect_is_reported_and_not_followed(tested):
    with serving(lambda _: Reply(302, b"", {"Location": "/login"})) as server:
        accepted, message = tested(server.url)
        assert len(server.requests) == 1
    assert not accepted
    assert message.startswith(f"{server.url} redirects, and the key is not sent on")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_that_passes_is_reported_once(tested, status):
    with serving(lambda _: answer({}, status, **{"Retry-After": "1"})) as server:
        accepted, message = tested(server.url + PATH, extra={"max_attempts": 20})
        assert len(server.requests) == 1
    assert not accepted
    assert f"Renderjuice answered {status}" in message


def drip(connection):
    connection.recv(65536)
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-A: b\r\n")
            time.sleep(0.05)
    except OSError:
        connection.close()


def silence(connection):
    time.sleep(2 * LIMIT)
    connection.close()


def hang_up(connection):
    connection.close()


@pytest.mark.parametrize(
    ("handle", "what"), [(silence, "gives no answer"), (drip, "did not answer within"), (hang_up, "gives no answer")]
)
def test_a_server_that_takes_the_call_and_says_nothing_of_use(tested, monkeypatch, handle, what):
    monkeypatch.setattr(check, "PATIENCE", 0.6)
    monkeypatch.setattr(check, "_SILENCE", 0.2)
    with listening(handle) as url:
        accepted, message = tested(url, extra={"timeout": 600})
    assert not accepted
    assert what in message
    assert "check host and port" in message


def test_all_its_patience_is_below_the_limit():
    assert check.PATIENCE + 0.5 < LIMIT
    assert check._SILENCE < check.PATIENCE


def test_plain_http_behind_an_https_address(tested):
    with serving(lambda _: answer({})) as server:
        accepted, message = tested(server.url.replace("http:", "https:") + PATH)
    assert not accepted
    assert "does not speak https" in message


def test_a_certificate_that_nobody_signed(tested, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout"
    subprocess.run([*command.split(), key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def shake_hands(connection):
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    with listening(shake_hands) as url:
        accepted, message = tested(url.replace("http:", "https:"))
    assert not accepted
    assert message.startswith("The certificate of https://127.0.0.1")
    assert "SSL_CERT_FILE" in message


def test_a_setting_of_this_machine_is_called_by_its_name(tested, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.test")
    assert "HTTPS_PROXY of this machine" in tested("https://farm.test/x")[1]
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    certificates.cache_clear()
    assert "SSL_CERT_FILE of this machine" in tested("https://farm.test/x")[1]


def test_a_connection_that_cannot_work_is_reported_without_a_call(tested):
    assert tested("farm.test", login="somebody")[1].startswith("Connection 'renderjuice_default': there is no login")
    assert "plain http" in tested("http://farm.test")[1]


def test_the_check_needs_no_airflow():
    code = "import sys, renderjuice_provider.api._check; print('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
