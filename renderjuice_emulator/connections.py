"""The TCP side: a request's connection, how it is reset, and the process at its other end."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import psutil
from starlette.types import Scope
from uvicorn.server import ServerState

_GRACE_SECONDS = 2.0


class Connections:
    """The open connections of all the emulator's ports."""

    def __init__(self) -> None:
        self._states: list[ServerState] = []
        self._closing = asyncio.Event()

    def watch(self, state: ServerState) -> None:
        """Include the connections of one more port."""
        self._states.append(state)

    def close(self, scope: Scope) -> None:
        """Close a request's connection once what was written has been sent."""
        if transport := self._transport(scope):
            transport.close()

    def reset(self, scope: Scope) -> None:
        """Answer a request with a TCP reset."""
        if transport := self._transport(scope):
            # Closing with a linger time of zero is what makes the kernel send RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()

    async def pause(self, seconds: float) -> None:
        """Wait for this many real seconds, or until the emulator stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def close_all(self) -> None:
        """Drop every connection, and let the requests on them end."""
        self._closing.set()
        for state in self._states:
            for connection in list(state.connections):
                connection.transport.abort()
        if tasks := [task for state in self._states for task in state.tasks]:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)

    def _transport(self, scope: Scope) -> asyncio.Transport | None:
        """The transport of a request's connection; None when the client has hung up."""
        for state in self._states:
            connections: set[Any] = set(state.connections)
            for connection in connections:
                if (connection.client, connection.server) == (scope["client"], scope["server"]):
                    return cast(asyncio.Transport, connection.transport)
        return None


def peers(client: tuple[str, int], server: tuple[str, int]) -> list[int]:
    """The ids of the local processes at the other end of a connection; there is at least one.

    Raises:
        RuntimeError: that process is not on this machine, cannot be found, or is the emulator or
            a parent of it.
    """
    if not ipaddress.ip_address(client[0]).is_loopback:
        raise RuntimeError("only a process that asked through the loopback address can be killed")
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {pid for pid in _owners(psutil.net_connections("tcp"), client[1], server[1]) if pid not in ours}
    if not found:
        raise RuntimeError(f"no process but the emulator's own is at the other end (port {client[1]})")
    return sorted(found)


def kill(pids: Iterable[int]) -> None:
    """SIGKILL these processes."""
    for pid in pids:
        with suppress(ProcessLookupError):  # another fault was faster
            os.kill(pid, signal.SIGKILL)


def _owners(connections: Iterable[Any], client_port: int, server_port: int) -> list[int]:
    return [
        connection.pid
        for connection in connections
        if connection.pid
        and connection.laddr
        and connection.raddr
        and (connection.laddr.port, connection.raddr.port) == (client_port, server_port)
    ]
