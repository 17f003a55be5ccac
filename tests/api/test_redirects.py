"""Stores send us on: S3 to a region, a download to its CDN.

A file goes there once, from its first byte, without a key.
"""

from __future__ import annotations

import pytest

from renderjuice_provider.api._flow import NoResponse, Response
from renderjuice_provider.api._redirects import LONGEST, OF_A_GET, OF_A_PUT, Way
from renderjuice_provider.api.errors import RenderjuiceTransferError
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

KEY = "RJ-the-key-of-these-tests"


def sent_on(status, place):
    return Reply(status, b"", {"Location": place})


def a_farm(stored, downloaded=None):
    """An API whose store answers a PUT as `stored` says, and a GET as `downloaded` does."""

    def reply(request):
        here = f"http://{request.headers['Host']}"
        if request.method == "PUT":
            return stored(request)
        if request.path.startswith("/store"):
            return downloaded(request)
        if request.path == "/uploads":
            return answer({"uploadUrl": f"{here}/store/first?token=x", "slug": "the-slug"})
        if request.path.endswith("downloads"):
            return answer({"frames": [f"{here}/store/0001.png?token=x"], "compositeNodes": [], "transforms": {}})
        return answer(a_job("completed"))

    return serving(reply)


def puts(server):
    return [request for request in server.requests if request.method == "PUT"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_scene_follows_its_store_once_whole_and_without_the_key(new_client, scene, status):
    def stored(request):
        return sent_on(status, "/store/second?token=y") if "first" in request.path else Reply()

    with a_farm(stored) as server:
        assert new_client(api_key=KEY, base_url=server.url).upload(scene).slug == "the-slug"
        assert [request.path for request in puts(server)] == ["/store/first?token=x", "/store/second?token=y"]
        assert puts(server)[-1].body == scene.read_bytes()
        assert not any("authorization" in {name.lower() for name in request.headers} for request in puts(server))


def test_what_fails_at_the_new_place_is_tried_again_there(new_client, scene):
    answers = iter([Reply(503), Reply()])

    def stored(request):
        return sent_on(307, "/store/second") if "first" in request.path else next(answers)

    with a_farm(stored) as server:
        new_client(base_url=server.url).upload(scene)
        assert [request.path for request in puts(server)] == ["/store/first?token=x", "/store/second", "/store/second"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304])
def test_a_scene_is_not_sent_to_a_page_for_people(new_client, scene, status):
    with a_farm(lambda _: sent_on(status, "/login")) as server:
        with pytest.raises(
            RenderjuiceTransferError, match=f"The store answered {status}, a redirect that is not"
        ) as it:
            new_client(base_url=server.url).upload(scene)
        assert len(puts(server)) == 1
    assert "API key" not in str(it.value)
    assert "Nothing was spent" in str(it.value)


def test_stores_that_send_a_scene_in_a_circle_are_left_soon(new_client, scene):
    def stored(request):
        return sent_on(307, "/store/first" if "second" in request.path else "/store/second")

    with a_farm(stored) as server:
        with pytest.raises(RenderjuiceTransferError, match="at most 3 in a row"):
            new_client(base_url=server.url).upload(scene)
        assert len(puts(server)) == LONGEST + 1


@pytest.mark.parametrize(
    ("place", "why"), [("http://farm.example/x", "plain http"), ("ftp://farm.example/x", "not an http or https")]
)
def test_neither_scene_nor_output_goes_where_the_first_address_could_not_be(new_client, scene, tmp_path, place, why):
    with a_farm(lambda _: sent_on(307, place), lambda _: sent_on(302, place)) as server:
        client = new_client(base_url=server.url)
        for transfer in (
            lambda: client.upload(scene),
            lambda: client.download_outputs(JOB_ID, tmp_path / "out"),
        ):
            with pytest.raises(RenderjuiceTransferError, match=f"The store was not asked: the signed URL is {why}"):
                transfer()
        asked = [request for request in server.requests if "/store" in request.path]
        assert len(asked) == 2


def test_a_download_does_not_go_in_circles(new_client, tmp_path):
    with a_farm(None, lambda request: sent_on(302, request.path + "x")) as server:
        with pytest.raises(RenderjuiceTransferError, match="The store answered 302"):
            new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")
        assert len([request for request in server.requests if "/store" in request.path]) == LONGEST + 1


def test_an_https_api_may_not_hand_out_plain_http_on_this_machine(new_client):
    client = new_client(api_key=KEY, base_url="https://farm.example")
    settings = client.client._wire._settings
    assert settings.problem_of("https://store.example/x") == ""
    assert settings.problem_of("http://127.0.0.1:1/x") == "is plain http, and the API is not"


@pytest.mark.parametrize("place", ["http://127.0.0.1/x", "//[", "", "https://a.test/1"])
def test_from_https_the_way_leads_to_https_alone_and_never_to_itself(place):
    way = Way("https://a.test/1", OF_A_GET)
    assert not way.leads_on(Response(302, {"location": place}))
    assert way.url == "https://a.test/1"


@pytest.mark.parametrize("outcome", [NoResponse("reset", sent=True), Response(200, {"location": "/2"}), Response(307)])
def test_only_a_redirect_leads_on(outcome):
    assert not Way("https://a.test/1", OF_A_PUT).leads_on(outcome)


def test_a_redirect_may_name_a_place_below_the_same_host():
    way = Way("https://a.test/1?x=1", OF_A_PUT)
    assert way.leads_on(Response(307, {"location": "/2?y=2"}))
    assert way.url == "https://a.test/2?y=2"
