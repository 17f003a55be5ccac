"""A button on the task: the job's preview picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

from renderjuice_provider.api.redact import redact

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from renderjuice_provider.api.models import Job

__all__ = [
    "PREVIEW_KEY",
    "RenderjuicePreviewLink",
]

PREVIEW_KEY = "renderjuice_preview_url"
LONGEST = 2000
"""Characters of an address; browsers and proxies agree on about that many."""
_WEB = ("https://", "http://")
_KEPT = "renderjuice_preview_is_kept"


class RenderjuicePreviewLink(BaseOperatorLink):
    """Opens the preview of the render, also while the task is deferred."""

    name = "Preview"
    xcom_key = PREVIEW_KEY

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """The address that the operator stored.

        Airflow asks at the end of every worker phase and keeps the answer, so it must not vary.

        It also asks when a task has failed before it had a job. Nothing is stored then, and reading
        it would put an error into the log that has nothing to do with the failure.
        """
        if not getattr(operator, _KEPT, False):
            return ""
        from airflow.sdk.execution_time.xcom import XCom

        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


def push_preview(context: Context, job: Job | None = None) -> None:
    """Give the task its button, if the job's preview may be stored.

    A URL with a query may be signed, which is a secret.

    Without a preview an empty text is stored.
    """
    url, ti = (job.preview_url if job else None) or "", context.get("ti")
    if ti is not None:
        ti.xcom_push(key=PREVIEW_KEY, value=url if _may_be_stored(url) else "")
        keep_preview(getattr(ti, "task", None))


def keep_preview(operator: Any) -> None:
    """Note that this phase of the task, or one before, has stored something for the link."""
    if operator is not None:
        setattr(operator, _KEPT, True)


def _may_be_stored(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and url.startswith(_WEB) and redact(url, longest=LONGEST) == url
    except ValueError:
        return False
