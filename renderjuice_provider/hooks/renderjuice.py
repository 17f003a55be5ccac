"""From an Airflow connection to a Renderjuice client."""

from __future__ import annotations

from functools import cached_property

from airflow.sdk import BaseHook

from renderjuice_provider.api._check import check
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.hooks._connection import Price, client_arguments, price
from renderjuice_provider.hooks._xcom import allow_models

__all__ = [
    "RenderjuiceHook",
]

allow_models()


class RenderjuiceHook(BaseHook):
    """Makes Renderjuice clients out of an Airflow connection.

    Making a hook looks nothing up: the connection is read when a client is asked for.

    Args:
        renderjuice_conn_id: a connection of type `renderjuice`. Password: the API key. Host: the
            base URL, Renderjuice's own when empty. Extra: `timeout` (seconds without a byte),
            `max_attempts` (of one call), `max_transfers` (files at once), `allow_http`; for the
            receiver of webhooks `webhook_secret`, `webhook_secret_previous` and
            `webhook_poll_interval`; and for the render wall and bills `rate` (of a normalized hour)
            and `currency`.

    Raises:
        RenderjuiceInputError: when a client is asked for and a field of the connection is wrong.
            The message names the field, and never shows its value.
        AirflowNotFoundException: when a client is asked for and there is no such connection.
    """

    conn_name_attr = "renderjuice_conn_id"
    default_conn_name = "renderjuice_default"
    conn_type = "renderjuice"
    hook_name = "Renderjuice"

    def __init__(self, renderjuice_conn_id: str = "renderjuice_default") -> None:
        super().__init__()
        self.renderjuice_conn_id = renderjuice_conn_id

    @cached_property
    def client(self) -> RenderjuiceClient:
        """The blocking client, for workers.

        It is made once. Its connections close with the process.
        """
        return RenderjuiceClient(**client_arguments(self.get_connection(self.renderjuice_conn_id)))

    def get_conn(self) -> RenderjuiceClient:
        """Airflow's usual name for `client`."""
        return self.client

    async def get_async_client(self) -> AsyncRenderjuiceClient:
        """A new client for the running event loop, for triggers.

        Close it, or use it as a context manager.
        """
        connection = await self.aget_connection(self.renderjuice_conn_id)
        return AsyncRenderjuiceClient(**client_arguments(connection))

    def get_price(self) -> Price | None:
        """What a normalized hour costs, by the connection's `rate` and `currency`; None without.

        Raises:
            RenderjuiceInputError: naming the extra that is wrong.
        """
        return price(self.get_connection(self.renderjuice_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Whether the key is accepted, and what to change where it is not; within five seconds."""
        try:
            return check(client_arguments(self.get_connection(self.renderjuice_conn_id)))
        except RenderjuiceInputError as error:
            return False, error.what
