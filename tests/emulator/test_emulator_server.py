"""What the ports leave behind when they close."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

import pytest

from renderjuice_emulator.server import EmulatorServer, Settings


@pytest.mark.parametrize("rounds", range(6))
async def test_a_connection_that_came_a_moment_before_the_end_is_dropped_too(rounds: int) -> None:
    """The event loop takes a connection in rounds; the end may come between any two."""
    server = EmulatorServer(Settings())
    async with server.running():
        address = urlsplit(server.base_url)
        client = socket.create_connection((address.hostname, address.port))
        for _ in range(rounds):
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    with client:
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # it was never accepted
            assert client.recv(1) == b""
