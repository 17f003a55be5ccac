"""A signed URL is followed into the world, and never nearer to this machine than the API is."""

from __future__ import annotations

import socket

import pytest

from renderjuice_provider.api._direct import OutOfReachError, permitted
from renderjuice_provider.api._reach import STORE_NETWORKS, Reach, reach_of, reach_of_url, refusal
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceTransferError
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

ELSEWHERE = "https://api.renderjuice.com/api/external/v1"
HERE = "http://127.0.0.1:8787/api/external/v1"
METADATA = "169.254.169.254"
INWARDS = [
    (METADATA, "what answers to its own network link alone"),
    ("10.1.2.3", "a private network"),
    ("127.0.0.1", "this machine"),
    ("[::1]", "this machine"),
    ("metadata.example", "what answers to its own network link alone"),
    ("intranet.example", "a private network"),
]
"""Hosts, and where they lead."""


@pytest.fixture
def names(monkeypatch):
    """What some names stand for, and all that was looked up; nothing here leaves this machine."""
    known = {"metadata.example": METADATA, "intranet.example": "192.168.7.7", "here.example": "127.0.0.1"}
    asked = []
    look_up = socket.getaddrinfo

    def found(host, *args, **kwargs):
        asked.append(host)
        return look_up(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return asked


@pytest.fixture
def far_api(new_client, monkeypatch):
    """Makes a client of an API in the world: a proxy, which is here, leads to it."""

    def make(reply):
        with_api = serving(reply)
        server = with_api.__enter__()
        closing.append(with_api)
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.setenv("NO_PROXY", ".example,169.254.0.0/16,10.0.0.0/8")
        return new_client(base_url="http://farm.test/api", allow_http=True), server

    closing: list = []
    yield make
    for each in closing:
        each.__exit__(None, None, None)


def a_farm(url, sent_on_to=""):
    """An API that names `url` as its store's, which may send requests on."""

    def reply(request):
        if request.path.endswith("/uploads"):
            return answer({"uploadUrl": url, "slug": "the-slug"})
        if request.path.endswith("downloads"):
            return answer({"frames": [url], "compositeNodes": [], "transforms": {}})
        if sent_on_to and "store.test" in request.path:
            return Reply(307, b"", {"Location": sent_on_to})
        return answer(a_job("completed"))

    return reply


def both_ways(client, scene, tmp_path):
    """A scene sent, and an output fetched."""
    return (lambda: client.upload(scene), lambda: client.download_outputs(JOB_ID, tmp_path / "out"))


@pytest.mark.parametrize(("host", "where"), INWARDS)
def test_an_api_in_the_world_sends_nobody_into_our_network(names, far_api, scene, tmp_path, host, where):
    client, server = far_api(a_farm(f"http://{host}/latest/meta-data?token=x"))
    for transfer in both_ways(client, scene, tmp_path):
        with pytest.raises(RenderjuiceTransferError, match=f"The store was not asked: .* leads to {where}") as it:
            transfer()
        assert "token" not in str(it.value)
    assert not any("meta-data" in request.path for request in server.requests)


@pytest.mark.parametrize(("host", "where"), INWARDS)
def test_no_redirect_of_a_store_leads_into_our_network_either(names, far_api, scene, tmp_path, host, where):
    client, server = far_api(a_farm("http://store.test/0001.png", f"http://{host}/latest/meta-data"))
    for transfer in both_ways(client, scene, tmp_path):
        with pytest.raises(RenderjuiceTransferError, match=f"The store was not asked: .* leads to {where}"):
            transfer()
    assert not any("meta-data" in request.path for request in server.requests)
    assert sum("store.test" in request.path for request in server.requests) == 2


def test_a_service_on_this_machine_gets_no_request_through_a_name_of_it(names, far_api, scene, tmp_path):
    with serving(lambda _: Reply()) as service:
        client, _ = far_api(a_farm(service.url.replace("127.0.0.1", "here.example") + "/0001.png"))
        for transfer in both_ways(client, scene, tmp_path):
            with pytest.raises(RenderjuiceTransferError, match="leads to this machine"):
                transfer()
        assert service.connections == []


def test_a_proxy_is_not_asked_for_an_address_of_our_network(far_api, scene, tmp_path, monkeypatch):
    client, server = far_api(a_farm(f"http://{METADATA}/latest/meta-data"))
    monkeypatch.setenv("NO_PROXY", "")
    for transfer in both_ways(client, scene, tmp_path):
        with pytest.raises(RenderjuiceTransferError, match="leads to what answers to its own network link alone"):
            transfer()
    assert not any("meta-data" in request.path for request in server.requests)


def test_an_api_on_this_machine_may_have_its_store_here_under_any_name(names, new_client, scene):
    with serving(lambda _: Reply()) as store:
        url = store.url.replace("127.0.0.1", "here.example")
        with serving(a_farm(f"{url}/put")) as server:
            new_client(base_url=server.url, allow_http=True).upload(scene)
        assert [request.path for request in store.requests] == ["/put"]
        assert names.count("here.example") == 1, "a second answer could be another address"


def test_a_network_of_the_studio_may_be_named_for_stores(names, far_api, scene, monkeypatch):
    with serving(lambda _: Reply()) as store:
        client, _ = far_api(a_farm(store.url.replace("127.0.0.1", "here.example") + "/put"))
        monkeypatch.setenv(STORE_NETWORKS, "10.0.0.0/8, 127.0.0.0/8 fd00::/8")
        client.upload(scene)
        assert [request.path for request in store.requests] == ["/put"]


def test_networks_that_cannot_be_read_are_an_error_that_names_the_variable(names, far_api, scene, monkeypatch):
    client, _ = far_api(a_farm("http://intranet.example/put"))
    monkeypatch.setenv(STORE_NETWORKS, "the studio")
    with pytest.raises(RenderjuiceInputError, match=f"{STORE_NETWORKS} of this machine must name networks"):
        client.upload(scene)


@pytest.mark.parametrize(
    ("reach", "addresses"),
    [
        (Reach.WORLD, "8.8.8.8 2606:4700::1 64:ff9b::808:808 ::ffff:8.8.8.8"),
        (Reach.NETWORK, "10.0.0.1 172.17.0.2 192.168.1.1 100.64.1.1 198.18.0.1 240.0.0.1 255.255.255.255 224.0.0.1"),
        (Reach.NETWORK, "fc00::1 fec0::1 ff02::1 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::a00:1 2001::1"),
        (Reach.MACHINE, "127.0.0.1 127.9.9.9 0.0.0.0 ::1 :: ::ffff:127.0.0.1 64:ff9b::7f00:1"),
        (Reach.LINK, "169.254.169.254 169.254.170.2 fe80::1%eth0 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe"),
        (Reach.LINK, "2002:a9fe:a9fe::1 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254"),
    ],
)
def test_an_address_is_as_near_as_what_it_stands_for(reach, addresses):
    assert {address: reach_of(address) for address in addresses.split()} == dict.fromkeys(addresses.split(), reach)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.1", Reach.MACHINE),
        ("2130706433", Reach.MACHINE),
        ("a.localhost.", Reach.MACHINE),
        ("0xa9fea9fe", Reach.LINK),
        ("intranet.example", Reach.NETWORK),
        ("no-such-name.invalid", Reach.WORLD),
    ],
)
def test_the_apis_own_host_is_as_near_as_what_it_stands_for(names, host, reach):
    assert reach_of_url(f"https://{host}/api") is reach


def test_a_store_may_be_as_near_as_the_api_and_no_nearer(names):
    assert refusal("172.17.0.3", "http://172.17.0.2:8787/api") == ""
    assert refusal("172.17.0.3", "http://intranet.example/api") == ""
    assert "this machine" in refusal("127.0.0.1", "http://172.17.0.2:8787/api")
    assert refusal("10.0.0.1", HERE) == refusal("127.0.0.1", HERE) == ""
    assert "network link" in refusal(METADATA, HERE)
    assert refusal("8.8.8.8", ELSEWHERE) == ""


def test_of_several_addresses_of_a_store_those_in_the_world_are_used():
    assert permitted(["10.0.0.1", "8.8.8.8"], ELSEWHERE) == ["8.8.8.8"]
    with pytest.raises(OutOfReachError, match=r"10\.0\.0\.1"):
        permitted(["10.0.0.1", METADATA], ELSEWHERE)
