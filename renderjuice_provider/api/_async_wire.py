"""Performs flows on an event loop, and local work in threads beside it.

Its twin is `renderjuice_provider.api._blocking_wire`, whose first lines say where the two differ.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

import httpx  # noqa: TID253 - this module is imported with the first client

from renderjuice_provider.api._attempt import (
    ENOUGH,
    PATIENCE,
    Attempt,
    Body,
    loop_attempt,
    seconds_for_call,
)
from renderjuice_provider.api._blocking_wire import BlockingWire
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
from renderjuice_provider.api._partial_file import PartialFileWriter, beside_the_loop, until_done
from renderjuice_provider.api._proxies import VARIABLES, proxy_for
from renderjuice_provider.api._settings import WireSettings, open_client
from renderjuice_provider.api._unpacking import Unpacker
from renderjuice_provider.api._wire import (
    AT_ONCE,
    TRANSPORT_ERRORS,
    WHOLE_FILE,
    Purpose,
    length_header,
    no_response,
    unusable,
)
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import keep_queries_out_of_logs
from renderjuice_provider.api.scene_file import CHUNK, SceneFile

T = TypeVar("T")


class AsyncWire:
    """Performs flows on one event loop."""

    def __init__(self, settings: WireSettings) -> None:
        keep_queries_out_of_logs()
        self._settings = settings
        self._clients: dict[Purpose, httpx.AsyncClient] = {}
        self._in_threads = BlockingWire(settings)

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
                return unusable(step.url, self._settings) or await self._put(step)
            case FetchFile():
                return unusable(step.url, self._settings) or await self._fetch(step)
            case Pause():
                await asyncio.sleep(step.seconds)
            case RunInThread():
                return await asyncio.to_thread(step.work)
            case Gather():
                return await self._gather(step)
        return None

    async def _gather_files(self, step: Gather[Any]) -> list[Any]:
        lanes = self._in_threads.lanes(step)
        done = asyncio.wrap_future(lanes.start())
        try:
            return await asyncio.shield(done)
        finally:
            lanes.stop()
            await until_done(done)

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

    async def _put(self, step: PutFile) -> Response | NoResponse:
        store, headers = self._storage(step.url), length_header(step.scene.size)
        try:
            async with loop_attempt(self._settings.storage_timeout) as current:
                content = _counted(step.scene, current)
                async with store.stream("PUT", step.url, content=content, headers=headers) as response:
                    current.allow(PATIENCE * self._settings.timeout)
                    return await self._read(response, current)
        except TRANSPORT_ERRORS as error:
            return no_response(error, step.url)

    async def _fetch(self, step: FetchFile) -> Response | NoResponse:
        try:
            async with (
                loop_attempt(self._settings.storage_timeout) as current,
                self._storage(step.url).stream("GET", step.url) as response,
            ):
                if response.status_code != WHOLE_FILE:
                    current.allow(PATIENCE * self._settings.timeout)
                    return await self._read(response, current)
                unpacker = Unpacker(response.headers)
                async with PartialFileWriter(step.partial_file) as writer:
                    async for chunk in response.aiter_raw(CHUNK):
                        for piece in unpacker.pieces(chunk):
                            current.check()
                            with current.stopped():
                                await beside_the_loop(partial(writer.write, piece))
                            current.moved(len(piece))
                    unpacker.end()
                headers = dict(response.headers.items())
                return Response(response.status_code, headers, received=writer.received)
        except TRANSPORT_ERRORS as error:
            return no_response(error, step.url)

    async def _read(self, response: httpx.Response, current: Attempt, longest: int | None = None) -> Response:
        body = Body(current, response.headers, longest)
        async for chunk in response.aiter_raw():
            body.add(chunk)
        return Response(response.status_code, dict(response.headers.items()), body.whole())

    def _api(self) -> httpx.AsyncClient:
        # The environment may change at any time. To compare it is quicker than to find the proxy.
        purpose = ("api", tuple(map(os.environ.get, VARIABLES)))
        client = self._clients.get(purpose)
        if client is None:
            client = self._open(purpose, self._settings.base_url, self._settings.api_options)
        return client

    def _storage(self, url: str) -> httpx.AsyncClient:
        return self._open(("storage", proxy_for(url)), url, self._settings.storage_options)

    def _open(self, purpose: Purpose, url: str, options: Callable[[], dict[str, Any]]) -> httpx.AsyncClient:
        if purpose not in self._clients:
            self._clients[purpose] = open_client(httpx.AsyncClient, httpx.AsyncHTTPTransport, options(), proxy_for(url))
        return self._clients[purpose]

    async def close(self) -> None:
        """Close the connections that were opened."""
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()
        await asyncio.to_thread(self._in_threads.close)


async def _counted(scene: SceneFile, current: Attempt) -> AsyncIterator[bytes]:
    chunks: Iterator[bytes] = scene.chunks()
    while True:
        with current.stopped():
            chunk = await beside_the_loop(partial(next, chunks, b""))
        if not chunk:
            current.moved(ENOUGH)  # a store may take minutes to acknowledge the last byte
            return
        yield chunk
        current.moved(len(chunk))
