"""From an Airflow connection to a Renderjuice client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.origin import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from airflow.sdk import Connection

_BASE_PATH = "/api/external/v1"


class RenderjuiceHook(BaseHook):
    """Renderjuice as an Airflow connection describes it.

    Args:
        renderjuice_conn_id: a connection of type `renderjuice`. Password: the API key. Host: the base URL, Renderjuice's own
            when empty. Extra: `timeout` (s), `max_attempts`, `allow_http`, `webhook_secret`.
    """

    conn_name_attr = "renderjuice_conn_id"
    default_conn_name = "renderjuice_default"
    conn_type = "renderjuice"
    hook_name = "Renderjuice"

    def __init__(self, renderjuice_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.renderjuice_conn_id = renderjuice_conn_id

    @cached_property
    def client(self) -> RenderjuiceClient:
        """A client that blocks, for workers. It is made once; its connections close with the process."""
        return RenderjuiceClient(**client_arguments(self.get_connection(self.renderjuice_conn_id)))

    def get_conn(self) -> RenderjuiceClient:
        """Airflow's usual name for `client`."""
        return self.client

    async def get_async_client(self) -> AsyncRenderjuiceClient:
        """A new client for the running event loop, for triggers; close it, or use it as a context manager."""
        connection = await self.aget_connection(self.renderjuice_conn_id)
        return AsyncRenderjuiceClient(**client_arguments(connection))

    def test_connection(self) -> tuple[bool, str]:
        """Whether the key is accepted: reads one page of jobs, since the API has no call that asks only that."""
        try:
            next(self.client.list_jobs(), None)
        except RenderjuiceError as error:
            return False, str(error)
        return True, "Renderjuice accepts the API key."


def client_arguments(connection: Connection) -> dict[str, Any]:
    """The arguments of a client, out of a connection.

    Raises:
        RenderjuiceInputError: naming the connection and the field that is wrong; never showing its value.
    """
    name = f"Connection {connection.conn_id!r}"
    if not (connection.password or "").strip():
        raise RenderjuiceInputError(
            f"{name} has no API key: put it into the password field (RJ-... from the dashboard)."
        )
    try:
        extra = connection.extra_dejson
    except ValueError:
        extra = None
    if not isinstance(extra, Mapping):
        raise RenderjuiceInputError(f"{name}: the extra field must be a JSON object.")
    return {"api_key": connection.password, "base_url": _base_url(connection)} | _options(name, extra)


def _base_url(connection: Connection) -> str:
    """The host as it stands when it is a URL; else put together, as connections written as URIs need it."""
    host = (connection.host or "").strip()
    if not host:
        return DEFAULT_BASE_URL
    if "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}{_BASE_PATH}"


def _options(name: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, kind, wanted in (
        ("timeout", (int, float), "a number of seconds"),
        ("max_attempts", int, "a whole number"),
        ("allow_http", bool, "true or false"),
    ):
        value = extra.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise RenderjuiceInputError(f"{name}: extra {key!r} must be {wanted}.")
        options[key] = value
    return options
