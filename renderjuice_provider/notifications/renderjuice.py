"""A notifier: what became of a night, to Slack, Mattermost, Google Chat or another chat."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk import log as airflow_log

from renderjuice_provider.notifications._chat import Target, post, target_of

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "RenderjuiceNotifier",
]

REPORT_TASK = "report"
_STATES = ("delivered", "skipped", "rejected", "failed")
_MOST_FAILED = 10
_LONGEST_REASON = 200
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


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
            counts, failed shots with their reasons, render seconds, and where the report is.
        context: of Airflow's callback.
    """

    template_fields = ("http_conn_id", "message")

    def __init__(
        self, *, http_conn_id: str = "renderjuice_notify", message: str | None = None, context: Context | None = None
    ) -> None:
        super().__init__(context=context)
        self.http_conn_id = http_conn_id
        self.message = message

    def notify(self, context: Context) -> None:
        """Send it from a worker or the DAG processor."""
        text = self.message or default_message(context)
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
        text = self.message or default_message(context)
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


async def _mask(target: Target) -> None:
    if mask := getattr(airflow_log, "amask_secret", None):  # Airflow 3.3 and later; before, none is safe on a loop
        await mask(target.url)


def default_message(context: Context) -> str:
    """What the task `report` returned, in a few lines; else which run this is about."""
    found = _report(context)
    if not isinstance(found, Mapping) or not all(isinstance(found.get(state), Mapping) for state in _STATES):
        run = context.get("dag_run")
        return f"Renderjuice: run {_of(run, 'run_id')} of {_of(run, 'dag_id')} left no report"
    failed = sorted(found["failed"].items())
    counts = ", ".join(f"{len(found[state])} {state}" for state in _STATES)
    lines = [f"Night of {found.get('night')}: {counts}; {found.get('frames')} frames, {_cost(found)}"]
    lines += [f"{_quiet(shot)} failed: {_quiet(reason)}" for shot, reason in failed[:_MOST_FAILED]]
    lines += [f"... and {len(failed) - _MOST_FAILED} more"] if len(failed) > _MOST_FAILED else []
    lines += [f"Report: {found['report']}"] if found.get("report") else []
    return "\n".join(lines)


def _report(context: Context) -> Any:
    try:
        return context["ti"].xcom_pull(task_ids=REPORT_TASK)
    except Exception:  # noqa: BLE001 - in a deadline's callback there is no task, and in the DAG processor no XCom
        return None


def _cost(found: Mapping[str, Any]) -> str:
    unknown = len(found.get("jobs_of_unknown_cost") or ())
    seconds = found.get("render_seconds")
    spent = f"{seconds:,.0f} render seconds" if isinstance(seconds, (int, float)) else "unknown render seconds"
    jobs = "1 job" if unknown == 1 else f"{unknown} jobs"
    return f"{spent}, and {jobs} of unknown cost" if unknown else spent


def _quiet(text: Any) -> str:
    """Text of a scene or server, which shall not call everybody of a channel."""
    line = " ".join(str(text)[: 4 * _LONGEST_REASON].split()).replace("<", "(").replace(">", ")")
    line = _MENTION.sub("@ ", line)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def _of(run: Any, name: str) -> str:
    """A field of a DAG run, which in a deadline's callback is what Airflow's API says of it."""
    names_of_api = {"run_id": "dag_run_id"}
    value = run.get(names_of_api.get(name, name)) if isinstance(run, Mapping) else getattr(run, name, None)
    return str(value or "?")
