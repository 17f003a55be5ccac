"""Performs flows on an event loop, and local work in threads beside it.

Its twin is `renderjuice_provider.api._blocking_wire`, whose first lines say where the two differ.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

import httpx  # noqa: TID253 - this module is imported with the first client

from renderjuice_provider.api._attempt import Attempt, Body, Breakable, loop_attempt, seconds_for_call
from renderjuice_provider.api._beside import beside_the_loop, until_done
from renderjuice_provider.api._blocking_wire import BlockingWire, FileStep, Transfer
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
from renderjuice_provider.api._proxies import VARIABLES, proxy_for
from renderjuice_provider.api._settings import WireSettings, open_client
from renderjuice_provider.api._wire import AT_ONCE, TRANSPORT_ERRORS, Environment, no_response, unusable
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import keep_queries_out_of_logs

T = TypeVar("T")
_MOST_LANES = 64
"""Files on their way at once, whatever is asked for: each has a thread."""


class AsyncWire:
    """Performs flows on one event loop."""

    def __init__(self, settings: WireSettings) -> None:
        keep_queries_out_of_logs()
        self._settings = settings
        self._clients: dict[Environment, httpx.AsyncClient] = {}
        self._in_threads = BlockingWire(settings)
        self._lanes: ThreadPoolExecutor | None = None

    async def run(self, flow: Flow[T]) -> T:
        """The result. Failures of this machine are raised in the flow, which may catch them."""
        with closing(flow):
            try:
                step = next(flow)
                while True:
                    try:
                        outcome = await self._perform(step)
                    except RenderjuiceError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def _perform(self, step: Step[Any]) -> Any:
        match step:
            case Call():
                return await self._call(step)
            case PutFile():
                return unusable(step.url, self._settings) or await self._in_lane(self._in_threads.stores.put, step)
            case FetchFile():
                return unusable(step.url, self._settings) or await self._in_lane(self._in_threads.stores.fetch, step)
            case Pause():
                await asyncio.sleep(step.seconds)
            case RunInThread():
                return await asyncio.to_thread(step.work)
            case Gather():
                return await self._gather(step)
        return None

    async def _gather_files(self, step: Gather[Any]) -> list[Any]:
        lanes = self._in_threads.lanes_for(step)
        return await until_done(asyncio.wrap_future(lanes.start()), lanes.stop)

    async def _gather(self, step: Gather[Any]) -> list[Any]:
        if step.files:
            return await self._gather_files(step)
        results: dict[int, Any] = {}
        left = iter(enumerate(step.flows))  # not a task each: 100,000 would block the loop

        async def take_turns() -> None:
            for place, flow in left:
                results[place] = await self.run(flow)

        tasks = [asyncio.ensure_future(take_turns()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*tasks)
            return [results[place] for place in range(len(results))]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, call: Call) -> Response | NoResponse:
        seconds = seconds_for_call(self._settings.timeout, call.within)
        params = call.params or None
        try:
            async with (
                loop_attempt(seconds) as current,
                self._api().stream(call.method, call.path, params=params, json=call.body) as response,
            ):
                return await self._read(response, current, call.longest)
        except TRANSPORT_ERRORS as error:
            return no_response(error, self._settings.base_url)

    async def _in_lane(self, work: Transfer[FileStep], step: FileStep) -> Response | NoResponse:
        current = Breakable(self._settings.storage_timeout)
        return await beside_the_loop(partial(work, step, current), self._threads(), current.break_off)

    def _threads(self) -> ThreadPoolExecutor:
        # Not the loop's own: its few threads are for short work.
        if self._lanes is None:
            self._lanes = ThreadPoolExecutor(_MOST_LANES, "renderjuice-lane")
        return self._lanes

    async def _read(self, response: httpx.Response, current: Attempt, longest: int | None = None) -> Response:
        body = Body(current, response.headers, longest)
        async for chunk in response.aiter_raw():
            body.add(chunk)
        return Response(response.status_code, dict(response.headers.items()), body.whole())

    def _api(self) -> httpx.AsyncClient:
        # The environment may change at any time. To compare it is quicker than to find the proxy.
        environment = tuple(map(os.environ.get, VARIABLES))
        return self._clients.get(environment) or self._open(environment)

    def _open(self, environment: Environment) -> httpx.AsyncClient:
        proxy = proxy_for(self._settings.base_url)
        client = open_client(httpx.AsyncClient, httpx.AsyncHTTPTransport, self._settings.api_options(), proxy)
        self._clients[environment] = client
        return client

    async def close(self) -> None:
        """Close the connections that were opened."""
        self._in_threads.close()
        if self._lanes is not None:
            self._lanes.shutdown(wait=False)
            self._lanes = None
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()
