"""Performs flows in the calling thread.

Its twin is `renderjuice_provider.api._async_wire`. Two things differ. An event loop can break off
what hangs, and a thread cannot, so the sockets here know when the attempt of their thread is over.
And several threads may use one wire, so clients are opened under a lock.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import httpcore
import httpx  # noqa: TID253 - this module is imported with the first client

from renderjuice_provider.api._attempt import Attempt, Body, Breakable, attempt, bounded, seconds_for_call
from renderjuice_provider.api._bytes import Stores
from renderjuice_provider.api._flow import (
    Call,
    FetchFile,
    Flow,
    Gather,
    NoResponse,
    Pause,
    PutFile,
    Response,
    RunInThread,
    Step,
)
from renderjuice_provider.api._lane_threads import LaneThreads
from renderjuice_provider.api._lanes import Lanes
from renderjuice_provider.api._proxies import VARIABLES, proxy_for
from renderjuice_provider.api._settings import WireSettings, open_client
from renderjuice_provider.api._wire import AT_ONCE, TRANSPORT_ERRORS, Environment, no_response, unusable
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import keep_queries_out_of_logs

T = TypeVar("T")
FileStep = TypeVar("FileStep", PutFile, FetchFile)
Transfer = Callable[[FileStep, Breakable], Response | NoResponse]


class BlockingWire:
    """Performs flows in the calling thread; several threads may share it."""

    def __init__(self, settings: WireSettings) -> None:
        keep_queries_out_of_logs()
        self._settings = settings
        self._clients: dict[Environment, httpx.Client] = {}
        self.stores = Stores(settings.timeout, settings.base_url)
        self._opening = Lock()

    def run(self, flow: Flow[T], lanes: LaneThreads[Any] | None = None) -> T:
        """The result. Failures of this machine are raised in the flow, which may catch them.

        Args:
            flow: to perform.
            lanes: the gathering of files that it belongs to.
        """
        with closing(flow):
            try:
                step = next(flow)
                while True:
                    try:
                        outcome = self._perform(step, lanes)
                    except RenderjuiceError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result

    def _perform(self, step: Step[Any], lanes: LaneThreads[Any] | None) -> Any:
        match step:
            case Call():
                return self._call(step)
            case PutFile():
                return unusable(step.url, self._settings) or self._transfer(self.stores.put, step, lanes)
            case FetchFile():
                return unusable(step.url, self._settings) or self._transfer(self.stores.fetch, step, lanes)
            case Pause():
                lanes.pause(step.seconds) if lanes else time.sleep(step.seconds)
            case RunInThread():
                return step.work()
            case Gather():
                return self._gather(step)
        return None

    def _gather(self, step: Gather[Any]) -> list[Any]:
        if not step.files:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(self.run, step.flows))
        lanes = self.lanes_for(step)
        done = lanes.start()
        try:
            return done.result()
        finally:
            if lanes.stop():
                wait([done])

    def lanes_for(self, step: Gather[T]) -> LaneThreads[T]:
        """What performs a gathering of files, for the twin as well."""
        return LaneThreads(step.flows, Lanes(self._settings.max_transfers), self.run)

    def _call(self, call: Call) -> Response | NoResponse:
        seconds = seconds_for_call(self._settings.timeout, call.within)
        params = call.params or None
        try:
            with (
                attempt(seconds) as current,
                self._api().stream(call.method, call.path, params=params, json=call.body) as response,
            ):
                return self._read(response, current, call.longest)
        except TRANSPORT_ERRORS as error:
            return no_response(error, self._settings.base_url)

    def _read(self, response: httpx.Response, current: Attempt, longest: int | None = None) -> Response:
        body = Body(current, response.headers, longest)
        for chunk in response.iter_raw():
            body.add(chunk)
        return Response(response.status_code, dict(response.headers.items()), body.whole())

    def _transfer(self, work: Transfer[FileStep], step: FileStep, lanes: LaneThreads[Any] | None) -> Any:
        current = Breakable(self._settings.storage_timeout)
        return lanes.transfer(partial(work, step, current), current) if lanes else work(step, current)

    def _api(self) -> httpx.Client:
        # The environment may change at any time. To compare it is quicker than to find the proxy.
        environment = tuple(map(os.environ.get, VARIABLES))
        return self._clients.get(environment) or self._open(environment)

    def _open(self, environment: Environment) -> httpx.Client:
        with self._opening:
            if environment not in self._clients:
                proxy = proxy_for(self._settings.base_url)
                client = open_client(httpx.Client, TimedTransport, self._settings.api_options(), proxy)
                self._clients[environment] = client
                # Operators have no moment to close a client, so it closes with this wire.
                weakref.finalize(self, client.close)
            return self._clients[environment]

    def close(self) -> None:
        """Close the connections that were opened."""
        self.stores.close()
        while self._clients:
            _, client = self._clients.popitem()
            client.close()


class TimedTransport(httpx.HTTPTransport):
    """As httpx's, its sockets bounded by the attempt of their thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pool: Any = self._pool
        # httpcore documents this as an argument of its pools; httpx has none to pass it on.
        pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> _Stream:
        seconds = bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, seconds, *args, **kwargs))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        seconds = bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
