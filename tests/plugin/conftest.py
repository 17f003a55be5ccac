"""The receiver's app on a real database: SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from airflow import settings
from airflow.models.asset import AssetActive, AssetModel
from airflow.models.base import Base
from airflow.models.connection import Connection
from airflow.models.team import Team
from airflow.models.variable import Variable
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, delete, select
from sqlalchemy.orm import scoped_session, sessionmaker

from proofs.hostile.database import Database
from renderjuice_provider.lifecycle.inbox import Inbox, variable_of
from renderjuice_provider.plugin._app import make_app
from tools import postgres
from tools.processes import free_port

CONNECTION = "farm"
SECRET, PREVIOUS = "whsec-of-the-test", "whsec-before-the-rotation"
COMPLETE = "onRenderComplete"
TABLES = [model.__table__ for model in (Team, Connection, Variable, AssetModel, AssetActive)]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with the tables of Airflow that the receiver needs."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        # SQLite hands its one lock to whichever thread asks at the right moment.
        with tables(create_engine(f"sqlite:///{folder / 'airflow.db'}?timeout=60")) as engine:
            yield engine
        return
    if not (postgres.programs() / "postgres").exists():
        pytest.skip("no PostgreSQL here")
    with Database(folder / "postgres.log") as database, tables(create_engine(database.url)) as engine:
        yield engine


@contextmanager
def tables(engine: Engine) -> Iterator[Engine]:
    Base.metadata.create_all(engine, tables=TABLES)
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine, empty, and Airflow's own for the time of a test."""
    sessions = sessionmaker(bind=engine, autoflush=False, expire_on_commit=False)
    monkeypatch.setattr(settings, "engine", engine)
    monkeypatch.setattr(settings, "NonScopedSession", sessions)
    monkeypatch.setattr(settings, "Session", scoped_session(sessions))
    with sessions.begin() as session:
        for model in (Variable, AssetActive):
            session.execute(delete(model))
    return engine


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, CONNECTION, webhook_secret=SECRET)


def set_connection(monkeypatch: pytest.MonkeyPatch, name: str, conn_type: str = "renderjuice", **extra: Any) -> None:
    text = json.dumps({"conn_type": conn_type, "password": "RJ-key", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)


def inbox(engine: Engine, connection: str = CONNECTION) -> Inbox:
    """What is noted, as another process reads it."""
    with sessionmaker(bind=engine)() as session:
        variable = session.scalar(select(Variable).where(Variable.key == variable_of(connection)))
        return Inbox.parse(variable.get_val() if variable else None)


def new_job() -> str:
    return str(uuid.uuid4())


def body_of(job_id: str, event: str = COMPLETE, **more: Any) -> bytes:
    return json.dumps({"event": event, "status": "completed", "jobId": job_id} | more).encode()


def signed(body: bytes, secret: str = SECRET, age: float = 0.0) -> dict[str, str]:
    timestamp = str(int(time.time() - age))
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Renderjuice-Signature": mac, "X-Renderjuice-Timestamp": timestamp}


@dataclass(frozen=True)
class Sender:
    """Sends to an app as a server would hand it over, on the running loop."""

    client: httpx.AsyncClient

    async def send(
        self, body: bytes, headers: dict[str, str] | None = None, connection: str = CONNECTION
    ) -> httpx.Response:
        headers = signed(body) if headers is None else headers
        return await self.client.post(f"/renderjuice/webhooks/{connection}", content=body, headers=headers)

    async def event(self, job_id: str) -> int:
        """Send one genuine event: the status of the answer."""
        return (await self.send(body_of(job_id))).status_code


@asynccontextmanager
async def sender() -> AsyncIterator[Sender]:
    transport = httpx.ASGITransport(app=mounted())
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.test") as client:
        yield Sender(client)


@pytest.fixture
async def airflow(database: Engine) -> AsyncIterator[Sender]:
    async with sender() as found:
        yield found


def mounted() -> FastAPI:
    """An app that mounts the receiver's as Airflow does."""
    app = FastAPI()
    app.mount("/renderjuice", make_app())
    return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The URL of a real server of this app."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work` in threads at the same time, and raise what one of them raised."""

    async def run() -> None:
        await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(count)))

    asyncio.run(run())
