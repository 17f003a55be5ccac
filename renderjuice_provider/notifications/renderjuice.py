"""Notifiers: what became of a night or of a render, to Slack, Mattermost or another chat."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk import log as airflow_log

from renderjuice_provider.notifications._chat import Target, post, target_of
from renderjuice_provider.notifications._messages import night_message, render_message

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "RenderjuiceNotifier",
    "RenderjuiceRenderNotifier",
]


class RenderjuiceNotifier(BaseNotifier):
    """Sends a short text to an incoming webhook of a chat: a POST with `{"text": ...}`.

    That is what Slack, Mattermost, Google Chat and many others take. For a callback of a task or
    DAG (`on_success_callback`, `on_failure_callback`), or of a `DeadlineAlert`:
    `AsyncCallback(RenderjuiceNotifier, kwargs={"http_conn_id": ..., "message": ...})`.

    A message that cannot be sent is an error in the log, after three attempts of ten seconds. It
    never fails a task. The webhook's address is a secret, and appears in no log.

    Args:
        http_conn_id: a connection of type `http`. Host: the webhook's whole URL. Password: sent as
            a bearer token, where there is one.
        message: the text; templated. By default what the task `report` of this run returned:
            counts, failed shots with their reasons, render seconds, where the report is, and the
            run's page on the render wall.
        context: of Airflow's callback.
    """

    template_fields = ("http_conn_id", "message")
    default_message = staticmethod(night_message)

    def __init__(
        self, *, http_conn_id: str = "renderjuice_notify", message: str | None = None, context: Context | None = None
    ) -> None:
        super().__init__(context=context)
        self.http_conn_id = http_conn_id
        self.message = message

    def notify(self, context: Context) -> None:
        """Send it from a worker or the DAG processor."""
        text = self.message or self.default_message(context)
        try:
            target = target_of(BaseHook.get_connection(self.http_conn_id))
            airflow_log.mask_secret(target.url)
            # In a thread of its own: this one may already run an event loop.
            with ThreadPoolExecutor(max_workers=1) as pool:
                self._log_outcome(pool.submit(asyncio.run, post(target, text)).result())
        except Exception as error:  # noqa: BLE001 - whatever it is, no task fails for a message
            self._log_outcome(type(error).__name__)

    async def async_notify(self, context: Context) -> None:
        """Send it from the triggerer."""
        text = self.message or self.default_message(context)
        try:
            target = target_of(await BaseHook.aget_connection(self.http_conn_id))
            await _mask(target)
            self._log_outcome(await post(target, text))
        except Exception as error:  # noqa: BLE001 - whatever it is, no trigger fails for a message
            self._log_outcome(type(error).__name__)

    def _log_outcome(self, problem: str) -> None:
        if problem:
            self.log.error("The message by connection %s was not sent: %s", self.http_conn_id, problem)
        else:
            self.log.info("The message by connection %s was sent", self.http_conn_id)


class RenderjuiceRenderNotifier(RenderjuiceNotifier):
    """Sends what became of one render, in the same way.

    For `on_success_callback` and `on_failure_callback` of a task that renders. By default it says
    how many frames there are, which are missing, and what is billed; or why it has failed, what has
    happened to the money, and what to do. Then follow the addresses of the log and of the wall.

    Args:
        http_conn_id: as for `RenderjuiceNotifier`.
        message: the text; templated.
        context: of Airflow's callback.
    """

    default_message = staticmethod(render_message)


async def _mask(target: Target) -> None:
    if mask := getattr(airflow_log, "amask_secret", None):  # Airflow 3.3 and later; before, none is safe on a loop
        await mask(target.url)
