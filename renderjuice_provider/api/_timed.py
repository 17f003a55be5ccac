"""Sockets that know when the attempt of their thread is over: an event loop can break off what hangs, a thread cannot."""

from __future__ import annotations

from typing import Any

import httpcore
import httpx  # noqa: TID253 - this module is imported with the first client

from renderjuice_provider.api._attempt import CURRENT

_PIECE = 1 << 16
"""Bytes that are given to a socket at once: with more, a slow reader would be asked about too seldom."""


class TimedTransport(httpx.HTTPTransport):
    """As httpx's, its sockets bounded by the thread's attempt."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pool: Any = self._pool
        # httpcore documents this as an argument of its pools; httpx has none to pass it on.
        pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> _Stream:
        seconds = _bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, seconds, *args, **kwargs))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for place in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[place : place + _PIECE], _bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        seconds = _bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _bounded(timeout: float | None, error: type[Exception]) -> float | None:
    """The time-out, or less when the attempt has less left."""
    attempt = CURRENT.get()
    if attempt is None:
        return timeout
    if attempt.left <= 0:
        raise error(str(attempt.over()))
    return attempt.left if timeout is None else min(timeout, attempt.left)
