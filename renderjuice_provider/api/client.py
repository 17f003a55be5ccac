"""Renderjuice for Python programs: one client that blocks, one for event loops.

    with RenderjuiceClient(api_key) as client:
        job = client.create_job(client.upload("shot.blend").slug)

Both are declared here from the same operations (`renderjuice_provider.api._operations` and the two
modules beside it), so names, arguments, results and docstrings are the same. A new operation takes
a function there, and one line in each client.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from renderjuice_provider.api import _download as downloading
from renderjuice_provider.api import _listing as listing
from renderjuice_provider.api import _upload as uploading
from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._lanes import MOST
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._origin import DEFAULT_BASE_URL, check_base_url
from renderjuice_provider.api._settings import WireSettings
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.retry import RetryPolicy

__all__ = [
    "AsyncRenderjuiceClient",
    "RenderjuiceClient",
]

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])
_JOBS_IN_A_TURN = 100
"""Jobs that are parsed (in some milliseconds) before an event loop may run other tasks."""


class _Client:
    """What both clients are made from: their arguments, checked."""

    def __init__(
        self,
        api_key: str,
        base_url: str,
        timeout: float,
        max_attempts: int,
        allow_http: bool,  # noqa: FBT001 - the clients take it by keyword only
        retry: RetryPolicy | None,
        max_transfers: int,
    ) -> None:
        key = api_key.strip() if isinstance(api_key, str) else ""
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise RenderjuiceInputError(
                "The API key is empty or holds characters that no key has. "
                "Copy it from the Renderjuice dashboard (RJ-...)."
            )
        if retry is not None and max_attempts != RetryPolicy.max_attempts:
            raise RenderjuiceInputError(
                "Pass max_attempts or retry, not both: retry=RetryPolicy(max_attempts=...) has it."
            )
        policy = retry or RetryPolicy(max_attempts)
        if not timeout > 0 or policy.max_attempts < 1:
            raise RenderjuiceInputError("timeout must be above 0 seconds, and max_attempts at least 1.")
        if not max_transfers >= 1:
            raise RenderjuiceInputError("max_transfers, the files on their way at once, must be at least 1.")
        base_url = check_base_url(base_url, allow_http=allow_http, secret=key)
        self._wire_settings = WireSettings(key, base_url, timeout, allow_http, max_transfers)
        self.operations = Operations(key, policy)

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self._wire_settings.base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._wire_settings.base_url!r})"


def blocking(
    operation: Callable[Concatenate[Operations, P], Flow[T]],
) -> Callable[Concatenate[RenderjuiceClient, P], T]:
    """The operation as a method of the blocking client."""

    @wraps(operation)
    def method(self: RenderjuiceClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._wire.run(operation(self.operations, *args, **kwargs))

    return _described(method, operation)


def awaited(
    operation: Callable[Concatenate[Operations, P], Flow[T]],
) -> Callable[Concatenate[AsyncRenderjuiceClient, P], Coroutine[Any, Any, T]]:
    """The operation as a method of the asynchronous client."""

    @wraps(operation)
    async def method(self: AsyncRenderjuiceClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._wire.run(operation(self.operations, *args, **kwargs))

    return _described(method, operation)


def blocking_iterator(
    operation: Callable[Concatenate[Operations, P], listing.JobListing],
) -> Callable[Concatenate[RenderjuiceClient, P], Iterator[Job]]:
    """A listing as a method of the blocking client."""

    @wraps(operation)
    def method(self: RenderjuiceClient, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Job]:
        pages = operation(self.operations, *args, **kwargs)
        while pages.more:
            yield from self._wire.run(pages.next_page())

    return _described(method, operation, Iterator[Job])


def async_iterator(
    operation: Callable[Concatenate[Operations, P], listing.JobListing],
) -> Callable[Concatenate[AsyncRenderjuiceClient, P], AsyncIterator[Job]]:
    """A listing as a method of the asynchronous client."""

    @wraps(operation)
    async def method(self: AsyncRenderjuiceClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Job]:
        pages = operation(self.operations, *args, **kwargs)
        while pages.more:
            for place, job in enumerate(await self._wire.run(pages.next_page())):
                if place % _JOBS_IN_A_TURN == 0:
                    await asyncio.sleep(0)
                yield job

    return _described(method, operation, AsyncIterator[Job])


def _described(method: Method, operation: Callable[..., Any], result: Any = None) -> Method:
    """`method` with the signature of `operation`, as `help()` and editors show it.

    Its first parameter is called `self`, and it returns what the flow returns: `Job`, not
    `Flow[Job]`.
    """
    signature = inspect.signature(operation)
    operations, *others = signature.parameters.values()
    result = result or signature.return_annotation.removeprefix("Flow[").removesuffix("]")
    itself = operations.replace(name="self", annotation=inspect.Parameter.empty)
    method.__dict__["__signature__"] = signature.replace(parameters=[itself, *others], return_annotation=result)
    annotations = operation.__annotations__ | {"return": result}
    annotations.pop(operations.name, None)
    method.__annotations__ = annotations
    return method


class RenderjuiceClient(_Client):
    """Renderjuice, blocking. Several threads may share one client.

    Use it with `with`, or call `close()` at the end.

    Args:
        api_key: from the Renderjuice dashboard, `RJ-...`.
        base_url: the address of the API. Plain http is accepted to this machine only, unless
            `allow_http`.
        timeout: seconds without a byte after which an attempt has failed; 30 s is longer than any
            normal response takes. A whole call may take four times as long, a file any time as long
            as its bytes keep coming.
        max_attempts: how often one call is sent, at least 1. Five attempts pause about 8 s in all.
        allow_http: permit plain http to other machines, such as an emulator on a closed network.
            The API key is then sent unencrypted.
        retry: how often and after which pauses a call is retried, instead of `max_attempts`. It is
            an error to pass both.
        max_transfers: files that a download has on their way at once, at most. It begins with 4,
            takes more as long as more bytes arrive, and fewer when the store refuses.

    Raises:
        RenderjuiceInputError: for an empty key, an unusable address or a wrong number, before
            anything is sent. Every error of every method is a `RenderjuiceError`; the tree of
            errors is drawn in `renderjuice_provider.api.errors`.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        timeout: float = 30.0,
        max_attempts: int = RetryPolicy.max_attempts,
        *,
        allow_http: bool = False,
        retry: RetryPolicy | None = None,
        max_transfers: int = MOST,
    ) -> None:
        from renderjuice_provider.api._blocking_wire import BlockingWire  # which imports httpx

        super().__init__(api_key, base_url, timeout, max_attempts, allow_http, retry, max_transfers)
        self._wire = BlockingWire(self._wire_settings)

    create_upload = blocking(Operations.create_upload)
    upload = blocking(uploading.upload)
    create_job = blocking(Operations.create_job)
    get_job = blocking(Operations.get_job)
    list_jobs = blocking_iterator(listing.list_jobs)
    validate_job = blocking(Operations.validate_job)
    start_render = blocking(Operations.start_render)
    cancel_job = blocking(Operations.cancel_job)
    get_progress = blocking(Operations.get_progress)
    get_downloads = blocking(Operations.get_downloads)
    download_outputs = blocking(downloading.download_outputs)

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow that uses `operations`, such as waiting for a job."""
        return self._wire.run(flow)

    def close(self) -> None:
        """Close the connections. The client opens new ones if it is used again."""
        self._wire.close()

    def __copy__(self) -> Self:
        """The same with connections of its own: a signal may come while these hold a lock."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self) | {"_wire": type(self._wire)(self._wire_settings)})
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncRenderjuiceClient(_Client):
    """Renderjuice for event loops: await each method, and iterate `list_jobs` with `async for`.

    One client belongs to one loop. Files are read, checked and written in threads, so the loop is
    never blocked. Use it with `async with`, or await `close()` at the end.

    Args:
        api_key: from the Renderjuice dashboard, `RJ-...`.
        base_url: the address of the API. Plain http is accepted to this machine only, unless
            `allow_http`.
        timeout: seconds without a byte after which an attempt has failed; 30 s is longer than any
            normal response takes. A whole call may take four times as long, a file any time as long
            as its bytes keep coming.
        max_attempts: how often one call is sent, at least 1. Five attempts pause about 8 s in all.
        allow_http: permit plain http to other machines, such as an emulator on a closed network.
            The API key is then sent unencrypted.
        retry: how often and after which pauses a call is retried, instead of `max_attempts`. It is
            an error to pass both.
        max_transfers: files that a download has on their way at once, at most. It begins with 4,
            takes more as long as more bytes arrive, and fewer when the store refuses. 64 are what a
            store 80 ms away needs for files of 1 MiB.

    Raises:
        RenderjuiceInputError: for an empty key, an unusable address or a wrong number, before
            anything is sent. Every error of every method is a `RenderjuiceError`; the tree of
            errors is drawn in `renderjuice_provider.api.errors`.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        timeout: float = 30.0,
        max_attempts: int = RetryPolicy.max_attempts,
        *,
        allow_http: bool = False,
        retry: RetryPolicy | None = None,
        max_transfers: int = MOST,
    ) -> None:
        from renderjuice_provider.api._async_wire import AsyncWire  # which imports httpx

        super().__init__(api_key, base_url, timeout, max_attempts, allow_http, retry, max_transfers)
        self._wire = AsyncWire(self._wire_settings)

    create_upload = awaited(Operations.create_upload)
    upload = awaited(uploading.upload)
    create_job = awaited(Operations.create_job)
    get_job = awaited(Operations.get_job)
    list_jobs = async_iterator(listing.list_jobs)
    validate_job = awaited(Operations.validate_job)
    start_render = awaited(Operations.start_render)
    cancel_job = awaited(Operations.cancel_job)
    get_progress = awaited(Operations.get_progress)
    get_downloads = awaited(Operations.get_downloads)
    download_outputs = awaited(downloading.download_outputs)

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow that uses `operations`, such as waiting for a job."""
        return await self._wire.run(flow)

    async def close(self) -> None:
        """Close the connections. The client opens new ones if it is used again."""
        await self._wire.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
