"""Who may use the emulator: decided by the head of a request, before its body is read.

The emulator listens on this machine, where browsers run, too. A page of another site may send forms
here, and by DNS rebinding (a name of its own that turns into 127.0.0.1) it may even read the
answers. Such requests carry that site's name in `Host` or `Origin`.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

CONTROLS = "/_emulator"
HEALTH = f"{CONTROLS}/health"
"""The one control without a token: what starts the emulator asks it whether it is ready."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Knows the emulator's names and the token of its controls.

    Args:
        hosts: names that the emulator answers to, besides `localhost` and addresses: those cannot
            be rebound.
        token: what follows `/_emulator/` in the path of every control; None for a new random one.
    """

    def __init__(self, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self.token = token or secrets.token_urlsafe(16)

    def foreign(self, scope: Scope) -> str:
        """Why this request is refused; empty when it may be served."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return f"this emulator does not answer to the host {_shown(host)!r}: name it with --allow-host"
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            return f"pages of {_shown(origin)!r} may not use this emulator"
        if scope["method"] not in _READS and headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return "pages of other sites may not use this emulator"
        return ""

    def control_path(self, path: str) -> str | None:
        """The path of a control without its token; None when the token is missing or wrong."""
        if path == HEALTH:
            return path
        token, _, rest = path.removeprefix(f"{CONTROLS}/").partition("/")
        return (
            f"{CONTROLS}/{rest}"
            if secrets.compare_digest(token.encode(errors="replace"), self.token.encode())
            else None
        )

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name == "localhost" or name.endswith(".localhost") or name in self._hosts:
                return True
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _host_of(origin: str) -> str | None:
    """None for what is not an address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _shown(text: str) -> str:
    return text[:100]
