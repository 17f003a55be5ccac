"""What the fields of an Airflow connection say, in a client's terms.

Pure: each field is used, or refused with a sentence.

Fields arrive in many shapes: typed into a form, written as JSON, or taken by Airflow out of a URI,
which leaves a path in `schema` and text in every extra. No message shows a value, since any field
may hold a key that was pasted into the wrong one.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, TypeAdapter

from renderjuice_provider.api._origin import BASE_PATH, DEFAULT_BASE_URL
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)
_SCHEMES = ("http", "https")
_NOTHING = ("", "null", "none")
"""What forms and URIs write for a field that was left empty."""
_OPTIONS: Mapping[str, tuple[TypeAdapter[Any], str]] = {
    "timeout": (
        TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)]),
        "a number of seconds above 0, such as 60",
    ),
    "max_attempts": (TypeAdapter(Annotated[int, Field(ge=1)]), "a whole number from 1 on, such as 5"),
    "max_transfers": (TypeAdapter(Annotated[int, Field(ge=1)]), "a whole number from 1 on, such as 64"),
    "allow_http": (TypeAdapter(bool), "true or false"),
}
"""The extras that are arguments of a client: how each is read, and how to write it."""
_WEBHOOK_POLL_INTERVAL = (
    TypeAdapter(Annotated[float, Field(ge=1, le=300, allow_inf_nan=False)]),
    "a number of seconds from 1 to 300, such as 300",
)
_RATE = (TypeAdapter(Annotated[float, Field(ge=0, allow_inf_nan=False)]), "the price of a normalized hour, such as 3.6")
_CURRENCY = (
    TypeAdapter(Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z]{3}$")]),
    "a currency in three letters (ISO 4217), such as EUR",
)
_PRICE: Mapping[str, tuple[TypeAdapter[Any], str]] = {"rate": _RATE, "currency": _CURRENCY}
_SECRETS = ("webhook_secret", "webhook_secret_previous")
_OTHERS = (*_SECRETS, "webhook_poll_interval", "rate", "currency")


@dataclass(frozen=True)
class WebhookOptions:
    """What a connection says about webhooks.

    Attributes:
        secrets: those that sign what is believed: the current one, and while it is rotated the
            previous one. Without any, nothing is received.
        poll_interval: seconds between polls of a render while events have proven to arrive. 300
            unless the connection says less, and never more: that a render failed is not sent.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    poll_interval: float = 300.0


@dataclass(frozen=True)
class Price:
    """What rendering costs on a connection. Renderjuice's API does not say it.

    Attributes:
        per_hour: of a normalized hour.
        currency: ISO 4217, such as `EUR`.
    """

    per_hour: float
    currency: str


def client_arguments(connection: Connection) -> dict[str, Any]:
    """The arguments of a client, out of a connection.

    Raises:
        RenderjuiceInputError: naming the connection and the field that is wrong; never showing its
            value.
    """
    name = f"Connection {connection.conn_id!r}"
    if not (connection.password or "").strip():
        raise RenderjuiceInputError(
            f"{name} has no API key: put it into the password field (RJ-... from the dashboard)."
        )
    if (connection.login or "").strip():
        raise RenderjuiceInputError(f"{name}: there is no login. Empty that field; the API key is the password.")
    extra = _extra(name, connection)
    _webhook_options(name, extra)
    _price(name, extra)
    unknown = [key for key in extra if key.rpartition("__")[2] not in {*_OPTIONS, *_OTHERS}]
    if unknown:
        log.warning("%s: nothing here knows these extras, and they are not used: %s.", name, redact(", ".join(unknown)))
    options = {key: _option(name, key, extra[key], *_OPTIONS[key]) for key in _OPTIONS if key in extra}
    return {"api_key": connection.password, "base_url": _base_url(name, connection)} | options


def webhook_options(connection: Connection) -> WebhookOptions:
    """What a connection says about webhooks. It needs no API key to receive them.

    Raises:
        RenderjuiceInputError: naming the connection and the extra that is wrong; never showing its
            value.
    """
    name = f"Connection {connection.conn_id!r}"
    return _webhook_options(name, _extra(name, connection))


def price(connection: Connection) -> Price | None:
    """What a connection says rendering costs; None where it does not.

    Raises:
        RenderjuiceInputError: naming the connection and the extra that is wrong.
    """
    name = f"Connection {connection.conn_id!r}"
    return _price(name, _extra(name, connection))


def _price(name: str, extra: Mapping[str, Any]) -> Price | None:
    given = {key: _option(name, key, extra[key], *how) for key, how in _PRICE.items() if key in extra}
    if "rate" in given and "currency" not in given:
        raise RenderjuiceInputError(f"{name}: extra 'rate' needs 'currency' beside it, {_CURRENCY[1]}.")
    return Price(given["rate"], given["currency"]) if "rate" in given else None


def _webhook_options(name: str, extra: Mapping[str, Any]) -> WebhookOptions:
    secrets = tuple(_webhook_secrets(name, extra))
    key = "webhook_poll_interval"
    if key not in extra:
        return WebhookOptions(secrets)
    return WebhookOptions(secrets, _option(name, key, extra[key], *_WEBHOOK_POLL_INTERVAL))


def _webhook_secrets(name: str, extra: Mapping[str, Any]) -> Iterator[str]:
    """The secrets that are some. Anyone could guess the others, so they are not believed."""
    for key in _SECRETS:
        secret = extra.get(key, "")
        if isinstance(secret, str) and secret.strip(" \r\n\t*"):
            yield secret.strip()
        elif secret != "":
            log.warning(
                "%s: extra %r is no secret, and is not used. Airflow's forms show *** in place of one: "
                "copy it from where it was made.",
                name,
                key,
            )


def _base_url(name: str, connection: Connection) -> str:
    """The base URL that host, port and schema make together.

    Renderjuice's own when there is no host.

    A host that is a URL is taken as it stands; one that is a mere name gets https and the API's
    path, unless those are written too.
    """
    host = (connection.host or "").strip()
    scheme, path = _schema(name, connection)
    whole = not host or "://" in host
    url = (host if whole else f"https://{_bracketed(host)}") or DEFAULT_BASE_URL
    if not url.isprintable() or set(url) & set("?#\\ "):
        return url  # which no client takes: it says why
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    _, _, of_type = (connection.conn_type or "").partition("+")
    scheme = _agreed(name, "scheme", parts.scheme if whole else "", scheme, of_type.lower()) or parts.scheme
    path = _agreed(name, "path", parts.path.strip("/"), path) or ("" if whole else BASE_PATH)
    if port == 0:
        raise RenderjuiceInputError(f"{name}: the host ends with port 0, which nothing can listen on.")
    agreed_port = _agreed(name, "port", str(port or ""), str(connection.port or ""))
    netloc = parts.netloc if port or not agreed_port else f"{parts.netloc.rstrip(':')}:{agreed_port}"
    return f"{scheme}://{netloc}/{path}"


def _schema(name: str, connection: Connection) -> tuple[str, str]:
    """Scheme and path out of the `schema` field.

    In a URI, that field is all that follows the host's slash.
    """
    text = (connection.schema or "").strip().strip("/").removesuffix(":")
    if ":" in text:
        raise RenderjuiceInputError(
            f"{name}: the schema field takes http, https or a path. Put a whole URL into the host field."
        )
    first, _, rest = text.partition("/")
    return (first.lower(), rest) if first.lower() in _SCHEMES else ("", text)


def _agreed(name: str, what: str, *said: str) -> str:
    """The one value that is said, or nothing."""
    values = set(filter(None, said))
    if len(values) > 1:
        raise RenderjuiceInputError(
            f"{name} names two different {what}s: write the whole base URL into the host field, and empty port and schema."
        )
    return values.pop() if values else ""


def _bracketed(host: str) -> str:
    """An IPv6 address as it stands in URLs."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _extra(name: str, connection: Connection) -> dict[str, Any]:
    """The extras that are not empty."""
    try:
        extra = connection.extra_dejson
    except ValueError:
        extra = None
    if not isinstance(extra, Mapping):
        raise RenderjuiceInputError(f"{name}: the extra field must be a JSON object.")
    given = {key: value for key, value in extra.items() if not _is_nothing(value)}
    # Airflow's old forms saved the extra `timeout` as `extra__renderjuice__timeout`.
    return {key.removeprefix("extra__renderjuice__"): value for key, value in given.items()} | given


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _option(name: str, key: str, value: Any, adapter: TypeAdapter[Any], wanted: str) -> Any:
    """The value that is meant: URIs and forms deliver numbers and booleans as text."""
    value = value.strip() if isinstance(value, str) else value
    value = str(value) if isinstance(value, bool) else value  # or true would count as 1
    try:
        return adapter.validate_python(value)
    except ValueError:
        raise RenderjuiceInputError(f"{name}: extra {key!r} must be {wanted}.") from None
