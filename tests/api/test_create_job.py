"""A job is never created blindly twice.

Only a request that was certainly not carried out is made again.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from renderjuice_provider.api.errors import (
    RenderjuiceAmbiguousError,
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceRateLimitError,
    RenderjuiceRefusedError,
)
from tests.support.both_clients import QUICK, operations
from tests.support.http_server import Reply, a_job, answer, serving

IN_DOUBT = [
    "500",
    "503",
    "503 retry-after=0.01",
    "html 502",
    "reset-before",
    "reset-after",
    "stall-after 1",
    "truncate",
]


@pytest.fixture
def slug(client, scene):
    return client.upload(scene).slug


@pytest.mark.parametrize("fault", [*IN_DOUBT, "nonsense", "json {}", "redirect http://127.0.0.1:1/"])
def test_an_answer_that_leaves_a_doubt_is_reported_and_not_tried_again(new_client, emulator, slug, fault):
    emulator.faults.add("create_job", fault)
    with pytest.raises(
        RenderjuiceAmbiguousError, match=r"may or may not have been created .* nothing was spent"
    ) as caught:
        new_client(timeout=0.2).create_job(slug)
    assert emulator.ledger.count("create_job") == 1
    assert caught.value.__cause__ is None
    assert len(emulator.jobs) <= 1


@pytest.mark.parametrize("fault", ["429", "429 retry-after=0.02"])
def test_what_the_rate_limit_turned_away_is_tried_again(client, emulator, slug, fault):
    emulator.faults.add("create_job", fault, fault, fault)
    assert client.create_job(slug).status == "created"
    assert emulator.ledger.count("create_job") == 4
    assert len(emulator.jobs) == 1


def test_a_rate_limit_that_stays_leaves_no_doubt(client, emulator, slug):
    emulator.faults.add("create_job", *["429"] * 5)
    with pytest.raises(RenderjuiceRateLimitError):
        client.create_job(slug)
    assert emulator.ledger.count("create_job") == 5


def test_a_doubt_after_a_rate_limit_is_still_one(client, emulator, slug):
    emulator.faults.add("create_job", "429", "reset-after")
    with pytest.raises(RenderjuiceAmbiguousError):
        client.create_job(slug)
    assert (emulator.ledger.count("create_job"), len(emulator.jobs)) == (2, 1)


@pytest.mark.parametrize(("code", "error"), [(400, RenderjuiceRefusedError), (401, RenderjuiceAuthenticationError)])
def test_a_clear_no_leaves_no_doubt(client, emulator, slug, code, error):
    emulator.faults.add("create_job", str(code))
    with pytest.raises(error):
        client.create_job(slug)
    assert emulator.ledger.count("create_job") == 1


def test_a_connection_that_was_refused_sent_nothing_and_is_tried_again(new_client, emulator):
    url, tries = emulator.base_url, []
    emulator.stop()
    client = new_client(base_url=url, retry=replace(QUICK, jitter=lambda: tries.append(1) or 0.0))
    with pytest.raises(RenderjuiceConnectionError) as caught:
        client.create_job("slug")
    assert caught.value.sent is False
    assert len(tries) == 4
    emulator.start()


def test_the_job_is_made_from_the_slug_alone_as_it_was_given(new_client):
    with serving(lambda _: answer(a_job())) as server:
        new_client(base_url=server.url).create_job(" a/../slug ")
        assert server.requests[0].body == b'{"slug":" a/../slug "}'


def test_a_lost_upload_target_is_simply_asked_for_again(client, emulator, scene):
    emulator.faults.add("create_upload", "reset-after", "503")
    client.upload(scene)
    assert operations(emulator) == ["create_upload"] * 3 + ["put_upload"]


def test_an_expired_upload_url_means_a_new_target(client, emulator, scene):
    emulator.faults.add("put_upload", "expired", "401")
    job = client.create_job(client.upload(scene).slug)
    assert operations(emulator) == ["create_upload", "put_upload"] * 3 + ["create_job"]
    assert emulator.ledger.accounts[job.id].sha256


def test_an_upload_url_that_is_dead_on_arrival_is_given_up_after_three(client, emulator, scene):
    from renderjuice_provider.api.errors import RenderjuiceTransferError

    emulator.switches.upload_url_seconds = -1
    with pytest.raises(RenderjuiceTransferError, match="3 upload URLs in a row were refused or expired"):
        client.upload(scene)
    assert operations(emulator) == ["create_upload", "put_upload"] * 3


def test_a_url_that_expires_while_it_is_being_retried_is_not_tried_again(new_client, scene):
    puts = []

    def reply(request):
        if request.method == "PUT":
            puts.append(request.path)
            return Reply(503 if len(puts) == 1 else 200)
        expires = "2020-01-01T00:00:00Z" if not puts else "2099-01-01T00:00:00Z"
        return answer({"uploadUrl": f"http://{request.headers['Host']}/{len(puts)}", "slug": "s", "expiresAt": expires})

    with serving(reply) as server:
        new_client(base_url=server.url).upload(scene)
    assert puts == ["/0", "/1"]


def test_a_clock_that_is_wrong_does_not_stop_an_upload_that_works(new_client, scene):
    def reply(request):
        target = {
            "uploadUrl": f"http://{request.headers['Host']}/put",
            "slug": "s",
            "expiresAt": "2020-01-01T00:00:00Z",
        }
        return Reply(200) if request.method == "PUT" else answer(target)

    with serving(reply) as server:
        assert new_client(base_url=server.url).upload(scene).slug == "s"
