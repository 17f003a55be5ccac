"""Signed tokens for URLs that need no other permission. The form is a JSON Web Token's (HS256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

_HEADER = '{"alg":"HS256","typ":"JWT"}'


class Signer:
    """Signs with a secret of its own, so a token of one emulator means nothing to another."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, purpose: str, what: str, expires: float) -> str:
        """A token that allows `purpose` on `what` until `expires`."""
        claims = json.dumps({"for": purpose, "sub": what, "exp": expires})
        message = f"{_encode(_HEADER.encode())}.{_encode(claims.encode())}"
        return f"{message}.{self._signature(message)}"

    def verify(self, token: str, purpose: str, what: str, now: float) -> str | None:
        """What is wrong with the token; None when it holds."""
        message, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(message).encode()):
            return "the signature does not match"
        claims: dict[str, Any] = json.loads(_decode(message.partition(".")[2]))
        if (claims["for"], claims["sub"]) != (purpose, what):
            return "the signature is for something else"
        return "the request has expired" if now >= claims["exp"] else None

    def _signature(self, message: str) -> str:
        return _encode(hmac.digest(self._secret, message.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
