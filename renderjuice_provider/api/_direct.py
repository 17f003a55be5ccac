"""Connections to stores without a proxy: to addresses alone that signed URLs may lead to."""

from __future__ import annotations

import socket

import httpx  # noqa: TID253 - only the wires import this module
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from renderjuice_provider.api._reach import look_up, refusal


class OutOfReachError(httpx.HTTPError):
    """A signed URL leads where it must not; the text says where."""


class Direct(HTTPConnection):
    """By http. The address is the one that was checked: its name is looked up once.

    Attributes:
        base_url: of the API.
    """

    base_url = ""

    def _new_conn(self) -> socket.socket:
        error = OSError("the name stands for no address")
        for address in permitted(look_up(self._dns_host, self.port), self.base_url):
            try:
                return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
            except OSError as each:
                error = each
        raise error


class DirectTls(Direct, HTTPSConnection):
    """By https."""


def permitted(addresses: list[str], base_url: str) -> list[str]:
    """Those of the addresses of a store that a signed URL may lead to.

    Raises:
        OutOfReachError: when it may lead to none of them.
        RenderjuiceInputError: when `RENDERJUICE_STORE_NETWORKS` cannot be read.
    """
    refused = {address: refusal(address, base_url) for address in addresses}
    if addresses and all(refused.values()):
        raise OutOfReachError(refused[addresses[0]])
    return [address for address in addresses if not refused[address]]
