"""Where signed URLs may lead: into the world, and no nearer to this machine than the API is.

Else a server that hands them out could have us ask what answers to this machine or its network
alone, such as the metadata of a cloud, where keys are. Names count by what they stand for at the
moment of the connection, so a name that changes is no way in.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from enum import IntEnum
from functools import lru_cache
from urllib.parse import urlsplit

from renderjuice_provider.api._origin import literal_address
from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api.errors import RenderjuiceInputError

STORE_NETWORKS = "RENDERJUICE_STORE_NETWORKS"
"""The environment variable that names networks in which stores may be all the same: some clouds
give a store an address in their customer's own network."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::23", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Where clouds answer their own machines, beside 169.254.169.254: Alibaba, Azure, Oracle, AWS,
Google."""
_EMBEDS_IPV4 = ipaddress.ip_network("64:ff9b::/96")
"""How IPv4 is written in a network of IPv6 alone (RFC 6052)."""


class Reach(IntEnum):
    """How near an address is."""

    WORLD = 0
    NETWORK = 1
    MACHINE = 2
    LINK = 3

    @property
    def words(self) -> str:
        """As in "leads to ...": what is there."""
        return ("the world", "a private network", "this machine", "what answers to its own network link alone")[self]


@lru_cache
def reach_of(text: str) -> Reach:
    """How near an address is, such as `10.1.2.3` or `fe80::1%eth0`."""
    address = _itself(ipaddress.ip_address(text))
    if address.is_link_local or address in _METADATA:
        return Reach.LINK
    if address.is_loopback or address.is_unspecified:
        return Reach.MACHINE
    is_closed = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    is_open = address.is_global and not is_closed
    return Reach.WORLD if is_open else Reach.NETWORK


def look_up(host: str, port: int) -> list[str]:
    """The addresses that a name stands for now.

    Raises:
        OSError: when it stands for none.
    """
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def refusal(address: str, base_url: str) -> str:
    """Why a signed URL must not lead to an address, in a few words; "" when it may.

    Args:
        address: of a store.
        base_url: of the API, which may itself be in a network or on this machine.

    Raises:
        RenderjuiceInputError: when `RENDERJUICE_STORE_NETWORKS` cannot be read.
    """
    reach = reach_of(address)
    if reach is Reach.WORLD or reach <= reach_of_url(base_url):
        return ""
    itself = _itself(ipaddress.ip_address(address))
    if any(itself in network for network in _networks(os.environ.get(STORE_NETWORKS, ""))):
        return ""
    return (
        f"leads to {reach.words} ({address}), and the API is elsewhere; "
        f"if its store is meant to be there, name the network in the environment variable {STORE_NETWORKS}"
    )


def reach_of_url(url: str) -> Reach:
    """How near a host is. What only a proxy can look up is in the world."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    literal = literal_address(host)
    if literal is not None:
        return reach_of(literal)
    if proxy_for(url):
        return Reach.WORLD
    try:
        return max(map(reach_of, look_up(host, parts.port or 0)))
    except (OSError, ValueError):  # UnicodeError is a ValueError
        return Reach.WORLD


def _itself(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _EMBEDS_IPV4:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


@lru_cache
def _networks(text: str) -> tuple[Network, ...]:
    try:
        names = filter(None, re.split(r"[,\s]+", text))
        return tuple(ipaddress.ip_network(name, strict=False) for name in names)
    except ValueError:
        raise RenderjuiceInputError(
            f"The environment variable {STORE_NETWORKS} of this machine must name networks, such as 10.20.0.0/16."
        ) from None
