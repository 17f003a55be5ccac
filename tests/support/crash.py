"""A process that ends at an HTTP call of its task."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


class Died(BaseException):
    """The process is gone."""


class Crash:
    """Ends the process at the nth HTTP call.

    Before it is sent, or after its answer came and before anyone saw it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.after, self.calls = 0, False, 0
        send, send_async = httpx.Client.send, httpx.AsyncClient.send

        def crashing(client: Any, *args: Any, **kwargs: Any) -> Any:
            self._before()
            response = send(client, *args, **kwargs)
            self._after()
            return response

        async def crashing_async(client: Any, *args: Any, **kwargs: Any) -> Any:
            self._before()
            response = await send_async(client, *args, **kwargs)
            self._after()
            return response

        monkeypatch.setattr(httpx.Client, "send", crashing)
        monkeypatch.setattr(httpx.AsyncClient, "send", crashing_async)

    def arm(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.calls = at, after, 0

    def _before(self) -> None:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise Died

    def _after(self) -> None:
        if self.calls == self.at and self.after:
            raise Died
