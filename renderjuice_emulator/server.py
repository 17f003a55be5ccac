"""The emulator's two ports: the API, and the store on an origin of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from renderjuice_emulator import api
from renderjuice_emulator.application import application
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.guard import CONTROLS, Guard
from renderjuice_emulator.middleware import EmulatorMiddleware
from renderjuice_emulator.operations import API_OPERATIONS, OPERATIONS, STORAGE_OPERATIONS
from renderjuice_emulator.parts import EmulatorParts
from renderjuice_emulator.rendering import Renderer
from renderjuice_emulator.routing import Operation
from renderjuice_emulator.storage_api import storage_application

DEFAULT_KEY = "RJ-emulator"
_PORTS_TRIED = 100
_BACKLOG = 2048
_ROUNDS = 3
"""Of the event loop, from accepting a connection until uvicorn knows it, and one to spare."""


@dataclass(frozen=True)
class Settings:
    """How to run an emulator."""

    host: str = "127.0.0.1"
    port: int = 0
    """Of the API; 0 for any free one. Where it is taken, the next free one is used."""
    api_keys: Sequence[str] = (DEFAULT_KEY,)
    renderer: Callable[[Clock], Renderer] = FastRenderer
    speed: float = 1.0
    slots: int | None = None
    data: Path | None = None
    """Folder for uploads and outputs; None for a temporary one."""
    webhook_url: str | None = None
    webhook_secret: str = field(default="", repr=False)
    mishaps: str = ""
    """What the switch of this name is set to."""
    allowed_hosts: Sequence[str] = ()
    """Names by which clients may call it, besides `host`, localhost, and addresses."""
    control_token: str | None = field(default=None, repr=False)
    """Part of the controls' address; None for a new random one."""


class EmulatorServer:
    """An emulator with its ports.

    Use `async with server.running()` in an event loop, or `start` and `stop` for a thread.
    Addresses and `parts` are there once it runs; each run begins with new ones.
    """

    parts: EmulatorParts
    base_url = ""
    """The API's address, with its prefix."""
    storage_url = ""
    """The origin of upload and download URLs."""
    control_url = ""
    """Where the control routes are, for other processes that know this address."""
    openapi_url = ""
    """Where the OpenAPI description is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread: threading.Thread | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the body runs."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            data = settings.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renderjuice-")))
            api_socket = stack.enter_context(_listen(settings.host, settings.port))
            api_port = api_socket.getsockname()[1]
            storage_socket = stack.enter_context(_listen(settings.host, settings.port and api_port + 1))
            parts = self.parts = EmulatorParts(
                operations=OPERATIONS,
                api_keys=settings.api_keys,
                renderer=settings.renderer,
                speed=settings.speed,
                slots=settings.slots,
                data=data,
                guard=Guard((settings.host, *settings.allowed_hosts), settings.control_token),
            )
            parts.clock.bind(loop)
            parts.switches.mishaps = settings.mishaps
            parts.webhooks.url, parts.webhooks.secret = settings.webhook_url, settings.webhook_secret
            parts.storage.host, parts.storage.port = _in_url(settings.host), storage_socket.getsockname()[1]
            origin = f"http://{_in_url(settings.host)}:{api_port}"
            self.base_url, self.control_url = origin + api.PREFIX, f"{origin}{CONTROLS}/{parts.guard.token}"
            self.openapi_url, self.storage_url = f"{origin}/openapi.json", parts.storage.origin()
            servers = [
                await self._serve(application(), API_OPERATIONS, api_socket),
                await self._serve(storage_application(), STORAGE_OPERATIONS, storage_socket),
            ]
            try:
                yield
            finally:
                # asyncio would forget, and leave open, what was accepted a moment before `close`:
                # accept no more, and let it come.
                for sock in (api_socket, storage_socket):
                    loop.remove_reader(sock)
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
                for server in servers:
                    server.close()
                await parts.clock.stop()
                await parts.connections.close_all()
                # Before the folder goes: cancelled work may leave a thread that still writes into
                # it.
                await loop.shutdown_default_executor()

    def start(self) -> None:
        """Run in a thread of its own; returns when both ports answer."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="renderjuice-emulator", daemon=True)
        self._thread.start()
        ready.result()

    def stop(self) -> None:
        """Stop the thread.

        Jobs are abandoned, renderers killed, connections dropped, temporary files removed.
        """
        if self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the emulator's event loop and wait for it; from any other thread."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, ready: Future[None]) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            async with self.running():
                ready.set_result(None)
                await self._stop.wait()

        try:
            asyncio.run(main())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, app: ASGIApp, operations: Sequence[Operation], sock: socket.socket) -> asyncio.Server:
        """Serve `app` by uvicorn's protocol, without its server: that one takes the signals."""
        parts = self.parts
        served = EmulatorMiddleware(app, operations, parts)
        config = Config(served, lifespan="off", ws="none", access_log=False, log_config=None, proxy_headers=False)
        config.load()
        # Where the root logger has handlers uvicorn logs every request all the same, and with it
        # the queries of signed URLs.
        logging.getLogger("uvicorn.access").disabled = True
        state = ServerState()
        parts.connections.watch(state)
        loop = asyncio.get_running_loop()
        protocol: Any = config.http_protocol_class
        return await loop.create_server(lambda: protocol(config, state, {}, loop), sock=sock, backlog=_BACKLOG)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, every answer
    # takes 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for candidate in range(port, port + _PORTS_TRIED):
        try:
            sock.bind((host, candidate))
            sock.listen(_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                sock.close()
                raise
        else:
            return sock
    sock.close()
    raise OSError(errno.EADDRINUSE, f"no free port from {port} on")


def _in_url(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
