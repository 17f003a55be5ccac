"""Requests that change something come from our own page, as JSON, and are small."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from renderjuice_provider.wall._requests import MOST_BYTES, RefusedRequestError, read_body
from renderjuice_provider.wall.models import WantedAction

BODY = {"action": "stop", "rows": ["a"]}


@pytest.fixture
async def page() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.post("/act")
    async def act(request: Request) -> PlainTextResponse:
        try:
            return PlainTextResponse((await read_body(request, WantedAction)).rows[0])
        except RefusedRequestError as refused:
            return PlainTextResponse(refused.why, refused.status)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.test:8080") as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://airflow.test:8080"},
        {"Content-Type": "application/json; charset=utf-8"},
    ],
)
async def test_our_own_page_and_a_program_may(page: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await page.post("/act", content=json.dumps(BODY), headers={"Content-Type": "application/json"} | headers)
    assert (response.status_code, response.text) == (200, "a")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://airflow.test:8080"},
        {"Origin": "http://evil.test"},
        {"Origin": "http://airflow.test"},
        {"Origin": "null"},
    ],
)
async def test_a_foreign_page_may_not(page: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await page.post("/act", json=BODY, headers=headers)
    assert response.status_code == 403
    assert response.text.startswith("This came from a page that is not Airflow's")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_can_send_is_refused(page: httpx.AsyncClient, kind: str) -> None:
    response = await page.post("/act", content=json.dumps(BODY), headers={"Content-Type": kind})
    assert (response.status_code, response.text) == (415, "Send it as application/json.")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("", "the body"),
        ("[1", "the body"),
        ("[" * 100_000, "the body"),
        ('{"action": "stop"}', "rows"),
        ('{"action": "explode", "rows": ["a"]}', "action"),
        ('{"action": "stop", "rows": []}', "rows"),
        ('{"action": "stop", "rows": ["a"], "more": 1}', "more"),
        (json.dumps({"action": "stop", "rows": ["a"] * 1001}), "rows"),
    ],
)
async def test_what_says_something_else_is_refused_by_name(page: httpx.AsyncClient, body: str, where: str) -> None:
    response = await page.post("/act", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.text.startswith(f"This cannot be read: {where}: ")


async def test_a_large_body_is_refused_before_its_end(page: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    response = await page.post("/act", content=endless(), headers={"Content-Type": "application/json"})
    assert (response.status_code, sent) == (413, MOST_BYTES // 65536 + 1)
