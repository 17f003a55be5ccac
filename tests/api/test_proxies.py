"""This machine's own settings for the network.

What can be read is obeyed, and what cannot is called by its name, at once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api._settings import certificates
from renderjuice_provider.api.errors import RenderjuiceConnectionError, RenderjuiceInputError, RenderjuiceRefusedError
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from renderjuice_provider.lifecycle.outcome import Ending
from tests.support.both_clients import QUICK
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

PROXIES = {"https": "http://secure.test:1", "http": "plain.test:2"}
ALL = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch):
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("exceptions", "url"),
    [
        ("localhost,fd00::/8", "https://[fd00::5]:8787/api"),
        ("localhost,fd00::/8", "http://localhost:8787"),
        ("10.0.0.0/8", "https://10.2.3.4"),
        ("10.2.3.4/8", "https://10.9.9.9"),
        ("::1", "https://[::1]:8787"),
        ("[::1]", "https://[::1]"),
        ("[fe80::]/10", "https://[fe80::7]"),
        ("farm.example", "https://api.farm.example"),
        (".farm.example", "https://api.farm.example"),
        ("*.farm.example", "https://api.farm.example"),
        ("https://farm.example", "https://farm.example"),
        ("farm.example:8787", "https://farm.example:8787"),
        ("one.test two.test", "https://two.test"),
        ("one.test, *", "https://two.test"),
        ("*", "https://two.test"),
    ],
)
def test_what_no_proxy_covers_is_reached_directly(exceptions, url):
    assert proxy_for(url, PROXIES | {"no": exceptions}) is None


@pytest.mark.parametrize(
    "exceptions",
    [
        "",
        ",",
        "fd00::/8",
        "10.0.0.0/99",
        ":::",
        "/",
        "farm.example:1",
        "xfarm.example",
        "[",
        "%",
        "fd00::/8,10.0.0.0/8",
    ],
)
def test_what_no_proxy_does_not_cover_goes_by_way_of_the_proxy(exceptions):
    assert proxy_for("https://farm.example", PROXIES | {"no": exceptions}) == ("http://secure.test:1", "HTTPS_PROXY")


def test_each_scheme_has_its_proxy_and_all_is_for_the_rest():
    assert proxy_for("http://farm.example", PROXIES) == ("http://plain.test:2", "HTTP_PROXY")
    assert proxy_for("https://farm.example", {"all": "http://any.test"}) == ("http://any.test", "ALL_PROXY")
    assert proxy_for("https://farm.example", {"http": "http://plain.test"}) is None


def test_an_ipv6_network_in_no_proxy_breaks_nothing(client, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1,10.0.0.0/8,fd00::/8")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert client.list_jobs() == []


def test_a_proxy_is_used_and_gets_the_whole_address(new_client, monkeypatch):
    with serving(lambda _: answer(a_job())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = new_client(base_url="http://farm.test:8787/api", allow_http=True)
        assert client.get_job(JOB_ID).id == JOB_ID
        assert proxy.requests[0].path == f"http://farm.test:8787/api/jobs/{JOB_ID}"


@pytest.mark.parametrize("host", ["localhost", "farm.localhost", "127.0.0.1", "127.1", "[::1]"])
def test_no_proxy_ever_sees_what_is_for_this_machine(host):
    assert proxy_for(f"http://{host}:8787/api", PROXIES | {"all": "http://any.test"}) is None
    assert proxy_for("http://127.example:8787/api", PROXIES) is not None


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ftp://proxy.test", "write it as http://"),
        ("socks4://proxy.test", "write it as http://"),
        ("http://user:secret@proxy.test:port", "write it as http://"),
        ("http://[::1", "write it as http://"),
        ("http://", "write it as http://"),
        ("socks5://proxy.test", "socksio"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_called_by_its_name_and_not_tried_again(
    new_client, monkeypatch, variable, value, why
):
    if why == "socksio":
        monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv(variable, value)

    def second_attempt():
        raise AssertionError("a second attempt")

    retry = replace(QUICK, jitter=second_attempt)
    client = new_client(base_url="http://farm.test:1", allow_http=True, retry=retry)
    with pytest.raises(RenderjuiceInputError, match=f"{variable} of this machine .*{why}") as caught:
        client.list_jobs()
    assert "secret" not in str(caught.value)


def test_a_wait_hears_of_such_a_setting_and_ends_in_words_of_its_own(new_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "ftp://proxy.test")
    client = new_client(base_url="http://farm.test", allow_http=True)
    now = time.time()
    wait = JobPoller(JOB_ID, "completed", poll_interval=1, started=now, deadline=now + 60)
    outcome = client.run(watch(client.operations, wait, str))
    assert outcome.ending is Ending.REFUSED
    assert "HTTP_PROXY of this machine" in outcome.message


def test_a_proxy_that_does_not_answer_is_named(new_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    with pytest.raises(
        RenderjuiceConnectionError, match=r"ConnectError.*by way of the proxy that HTTP_PROXY"
    ) as caught:
        new_client(base_url="http://farm.test", allow_http=True, max_attempts=1).list_jobs()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
def testcertificates_that_cannot_be_read_are_reported_as_that(new_client, monkeypatch, tmp_path, content):
    file = tmp_path / "certificates.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    certificates.cache_clear()
    with pytest.raises(RenderjuiceInputError, match="SSL_CERT_FILE of this machine"):
        new_client(base_url="http://127.0.0.1:1").list_jobs()


def test_a_netrc_is_neither_read_nor_minded(new_client, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\nnonsense {{{")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(lambda _: answer(a_job())) as server:
        new_client(api_key="RJ-ours", base_url=server.url).get_job(JOB_ID)
        assert server.requests[0].headers["Authorization"] == "Bearer RJ-ours"


def test_a_proxy_that_wants_a_password_says_so_itself(new_client):
    with (
        serving(lambda _: Reply(407)) as server,
        pytest.raises(RenderjuiceRefusedError, match="407, which is a proxy's word"),
    ):
        new_client(base_url=server.url).list_jobs()


def test_proxies_take_no_httpx_to_be_known():
    code = "import sys, renderjuice_provider.api._proxies; print('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
