"""Performing the steps of a flow with httpx: once synchronously, once asynchronously, and nothing decided here.

Two kinds of httpx clients: those that carry the API key know only the API's origin, those for signed URLs have no key to leak.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from renderjuice_provider.api._attempt import ENOUGH, PATIENCE, Attempt, attempt, loop_attempt
from renderjuice_provider.api._body import Body
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
from renderjuice_provider.api._partial_file import PartialFileWriter, beside_the_loop
from renderjuice_provider.api._proxies import Proxy, proxy_for
from renderjuice_provider.api._settings import WireSettings, open_client
from renderjuice_provider.api._unpacking import Unpacker
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import keep_queries_out_of_logs
from renderjuice_provider.api.scene_file import CHUNK, SceneFile

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_AT_ONCE = 4
"""Files on their way at the same time: enough to hide latency, few enough for anyone's rate limit."""
_WHOLE_FILE = 200
_Purpose = tuple[str, Proxy | None]
"""What one httpx client is for: the API or the stores, directly or by way of one proxy."""


class Wire:
    """Performs flows in the calling thread."""

    def __init__(self, settings: WireSettings) -> None:
        keep_queries_out_of_logs()
        self._settings = settings
        self._clients: dict[_Purpose, httpx.Client] = {}
        self._opening = Lock()

    def _api(self) -> httpx.Client:
        return self._client("api", self._settings.base_url, self._settings.api_options)

    def _storage(self, url: str) -> httpx.Client:
        return self._client("storage", url, self._settings.storage_options)

    def _client(self, name: str, url: str, options: Callable[[], dict[str, Any]]) -> httpx.Client:
        import httpx

        purpose = (name, proxy_for(url))
        with self._opening:  # several threads may come first
            if purpose not in self._clients:
                client = self._clients[purpose] = open_client(httpx.Client, options(), purpose[1])
                # Operators have no end at which they could close a client; whoever forgets it leaves no socket behind.
                weakref.finalize(self, client.close)
            return self._clients[purpose]

    def run(self, flow: Flow[T]) -> T:
        """The flow's result. What fails on this machine is raised in the flow, which may have something to say of it."""
        with closing(flow):
            resume: Callable[[], Step] = partial(next, flow)
            while True:
                try:
                    step = resume()
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                try:
                    resume = partial(flow.send, self._perform(step))
                except RenderjuiceError as error:
                    resume = partial(flow.throw, error)

    def _perform(self, step: Step) -> Any:
        match step:
            case Call():
                return _attempt(self._settings.base_url, lambda: self._call(step))
            case PutFile():
                return self._guarded(step.url, lambda: self._put(step))
            case FetchFile():
                return self._guarded(step.url, lambda: self._fetch(step))
            case Pause():
                time.sleep(step.seconds)
            case RunInThread():
                return step.work()
            case Gather():
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    return list(pool.map(self.run, step.flows))
        return None

    def _guarded(self, url: str, perform: Callable[[], Response]) -> Response | NoResponse:
        return _unusable(url, self._settings) or _attempt(url, perform)

    def _call(self, step: Call) -> Response:
        api, order = self._api(), _order(step)
        with attempt(_patience(self._settings, step)) as current, api.stream(**order) as response:
            return self._read(response, current, step.longest)

    def _put(self, step: PutFile) -> Response:
        store, headers = self._storage(step.url), _length(step.scene)
        with attempt(self._settings.storage_timeout) as current:
            content = _counted(step.scene.chunks(), current)
            with store.stream("PUT", step.url, content=content, headers=headers) as response:
                current.allow(PATIENCE * self._settings.timeout)
                return self._read(response, current)

    def _fetch(self, step: FetchFile) -> Response:
        store = self._storage(step.url)
        with attempt(self._settings.storage_timeout) as current, store.stream("GET", step.url) as response:
            if response.status_code != _WHOLE_FILE:
                current.allow(PATIENCE * self._settings.timeout)
                return self._read(response, current)
            unpacker = Unpacker(response.headers)
            with PartialFileWriter(step.part) as writer:
                for chunk in response.iter_raw(CHUNK):
                    for piece in unpacker.pieces(chunk):
                        current.check()
                        with current.stopped():
                            writer.write(piece)
                        current.moved(len(piece))
                unpacker.end()
            return Response(response.status_code, _headers(response), received=writer.received)

    def _read(self, response: httpx.Response, current: Attempt, longest: int | None = None) -> Response:
        body, unpacker = Body(longest), Unpacker(response.headers)
        for chunk in response.iter_raw():
            for piece in unpacker.pieces(chunk):
                current.check()
                body.add(piece)
        unpacker.end()
        return Response(response.status_code, _headers(response), bytes(body))

    def close(self) -> None:
        """Close the connections that were opened."""
        while self._clients:
            _, client = self._clients.popitem()
            client.close()


class AsyncWire:
    """Performs flows on the event loop, and local work beside it."""

    def __init__(self, settings: WireSettings) -> None:
        keep_queries_out_of_logs()
        self._settings = settings
        self._clients: dict[_Purpose, httpx.AsyncClient] = {}

    def _api(self) -> httpx.AsyncClient:
        return self._client("api", self._settings.base_url, self._settings.api_options)

    def _storage(self, url: str) -> httpx.AsyncClient:
        return self._client("storage", url, self._settings.storage_options)

    def _client(self, name: str, url: str, options: Callable[[], dict[str, Any]]) -> httpx.AsyncClient:
        import httpx

        purpose = (name, proxy_for(url))
        if purpose not in self._clients:
            self._clients[purpose] = open_client(httpx.AsyncClient, options(), purpose[1])
        return self._clients[purpose]

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result. What fails on this machine is raised in the flow, which may have something to say of it."""
        with closing(flow):
            resume: Callable[[], Step] = partial(next, flow)
            while True:
                try:
                    step = resume()
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                try:
                    resume = partial(flow.send, await self._perform(step))
                except RenderjuiceError as error:
                    resume = partial(flow.throw, error)

    async def _perform(self, step: Step) -> Any:
        match step:
            case Call():
                return await self._call(step)
            case PutFile():
                return _unusable(step.url, self._settings) or await self._put(step)
            case FetchFile():
                return _unusable(step.url, self._settings) or await self._fetch(step)
            case Pause():
                await asyncio.sleep(step.seconds)
            case RunInThread():
                return await asyncio.to_thread(step.work)
            case Gather():
                return await self._together(step)
        return None

    async def _together(self, step: Gather) -> list[Any]:
        results: dict[int, Any] = {}
        left = iter(enumerate(step.flows))  # a task for each of 100,000 flows would hold up the loop

        async def some() -> None:
            for place, flow in left:
                results[place] = await self.run(flow)

        tasks = [asyncio.ensure_future(some()) for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*tasks)
            return [results[place] for place in range(len(results))]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, step: Call) -> Response | NoResponse:
        try:
            async with (
                loop_attempt(_patience(self._settings, step)) as current,
                self._api().stream(**_order(step)) as response,
            ):
                return await self._read(response, current, step.longest)
        except _transport_errors() as error:
            return _lost(error, self._settings.base_url)

    async def _put(self, step: PutFile) -> Response | NoResponse:
        try:
            async with loop_attempt(self._settings.storage_timeout) as current:
                content, headers = _chunks_beside_the_loop(step.scene, current), _length(step.scene)
                store = self._storage(step.url)
                async with store.stream("PUT", step.url, content=content, headers=headers) as response:
                    current.allow(PATIENCE * self._settings.timeout)
                    return await self._read(response, current)
        except _transport_errors() as error:
            return _lost(error, step.url)

    async def _fetch(self, step: FetchFile) -> Response | NoResponse:
        try:
            async with (
                loop_attempt(self._settings.storage_timeout) as current,
                self._storage(step.url).stream("GET", step.url) as response,
            ):
                if response.status_code != _WHOLE_FILE:
                    current.allow(PATIENCE * self._settings.timeout)
                    return await self._read(response, current)
                unpacker = Unpacker(response.headers)
                async with PartialFileWriter(step.part) as writer:
                    async for chunk in response.aiter_raw(CHUNK):
                        for piece in unpacker.pieces(chunk):
                            current.check()
                            with current.stopped():
                                await beside_the_loop(partial(writer.write, piece))
                            current.moved(len(piece))
                    unpacker.end()
                return Response(response.status_code, _headers(response), received=writer.received)
        except _transport_errors() as error:
            return _lost(error, step.url)

    async def _read(self, response: httpx.Response, current: Attempt, longest: int | None = None) -> Response:
        body, unpacker = Body(longest), Unpacker(response.headers)
        async for chunk in response.aiter_raw():
            for piece in unpacker.pieces(chunk):
                current.check()
                body.add(piece)
        unpacker.end()
        return Response(response.status_code, _headers(response), bytes(body))

    async def close(self) -> None:
        """Close the connections that were opened."""
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()


def _counted(chunks: Iterator[bytes], current: Attempt) -> Iterator[bytes]:
    while chunk := _next(chunks, current):
        yield chunk
        current.moved(len(chunk))
    current.moved(ENOUGH)  # a store may think for minutes about the last byte


def _next(chunks: Iterator[bytes], current: Attempt) -> bytes:
    with current.stopped():
        return next(chunks, b"")


async def _chunks_beside_the_loop(scene: SceneFile, current: Attempt) -> AsyncIterator[bytes]:
    chunks: Iterator[bytes] = scene.chunks()
    while True:
        with current.stopped():
            chunk = await beside_the_loop(partial(next, chunks, b""))
        if not chunk:
            current.moved(ENOUGH)
            return
        yield chunk
        current.moved(len(chunk))


def _patience(settings: WireSettings, call: Call) -> float:
    """Seconds for the whole of a call."""
    seconds = PATIENCE * settings.timeout
    return seconds if call.within is None else min(seconds, max(call.within, settings.timeout))


def _length(scene: SceneFile) -> dict[str, str]:
    # With a length given, httpx does not fall back to chunked transfer, which presigned URLs refuse.
    return {"Content-Length": str(scene.size)}


def _order(call: Call) -> dict[str, Any]:
    order = {"method": call.method, "url": call.path, "params": dict(call.params) or None}
    return order | ({} if call.body is None else {"json": call.body})


def _headers(response: httpx.Response) -> dict[str, str]:
    return {key.lower(): value for key, value in response.headers.items()}


def _attempt(url: str, perform: Callable[[], Response]) -> Response | NoResponse:
    try:
        return perform()
    except _transport_errors() as error:
        return _lost(error, url)


def _transport_errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, httpx.InvalidURL)


def _lost(error: Exception, url: str) -> NoResponse:
    import httpx

    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
    proxy = proxy_for(url)
    by_way = f" (by way of the proxy that {proxy.variable} names)" if proxy else ""
    return NoResponse(f"{type(error).__name__}: {error}{by_way}", sent=not isinstance(error, unsent))


def _unusable(url: str, settings: WireSettings) -> NoResponse | None:
    problem = settings.problem_of(url)
    return NoResponse(f"the signed URL {problem}", sent=False, passing=False) if problem else None
