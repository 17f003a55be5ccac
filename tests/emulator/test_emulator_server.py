"""What the ports leave behind when they close."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from renderjuice_emulator.server import EmulatorServer, Settings


@pytest.mark.parametrize("rounds", range(6))
async def test_a_connection_that_came_a_moment_before_the_end_is_dropped_too(rounds: int) -> None:
    """The event loop needs some rounds to take a connection; the end may come between any two of them."""
    server = EmulatorServer(Settings())
    async with server.running():
        port = int(server.base_url.split(":")[2].split("/")[0])
        client = socket.create_connection(("127.0.0.1", port))
        for _ in range(rounds):
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    with client:
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # it was never accepted
            assert client.recv(1) == b""
