"""Buttons on a task: the job's preview picture, where its files are delivered, and the render wall.

Airflow's web UI shows a button as soon as it has an address for it. It reads those of an operator
out of XComs, which a task stores when it begins, and again at its end. The wall's is computed
where it is asked for, so it is there even before a task has begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from renderjuice_provider.links._addresses import address_of, delivery_urls, page_of_run, picture_of_run, shown

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from renderjuice_provider.api.models import Job

__all__ = [
    "DELIVERY_KEY",
    "PREVIEW_KEY",
    "RUN_PAGE",
    "RenderjuiceDeliveryLink",
    "RenderjuicePreviewLink",
    "RenderjuiceWallLink",
    "picture_of_run",
]

RUN_PAGE = "renderjuice-run"
"""The `url_route` of the render wall's tab of a DAG run."""
DELIVERY_KEY = "renderjuice_delivery_url"
PREVIEW_KEY = "renderjuice_preview_url"
_KEPT = "renderjuice_preview_is_kept"


def _named(operators: Mapping[str, Sequence[str]]) -> list[Any]:
    """Stand-ins for operators, by their modules: Airflow compares names.

    An API server has no use for the operators themselves, and they take a second to import.
    """
    return [
        type(name, (), {"__module__": f"renderjuice_provider.{module}"})
        for module, names in operators.items()
        for name in names
    ]


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


class RenderjuiceDeliveryLink(BaseOperatorLink):
    """Opens what a task delivers, from its first second on, and also when it has failed.

    That is the destination's own address in the web, where it has one: a destination that begins
    with `https://`, or with a text of the option `[renderjuice] delivery_urls` of Airflow's
    configuration, a JSON object such as `{"s3://bucket/shots": "https://files.example/shots"}`.
    Any other is seen on the render wall.
    """

    name = "Delivery"
    xcom_key = DELIVERY_KEY

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """The address of the operator's `destination`; the wall's while that is a template."""
        is_known = getattr(operator, "is_rendered", False)
        address = address_of(str(operator.destination), delivery_urls()) if is_known else ""
        return address or page_of_run(ti_key, RUN_PAGE)


class RenderjuiceWallLink(BaseOperatorLink):
    """Opens the render wall with the rows of the task's run, whatever the task's state.

    Airflow's API server computes it: `RenderjuicePlugin` registers it for our operators and our
    sensor.
    """

    name = "Render wall"

    operators = _named(
        {
            "operators._cancel": ["RenderjuiceCancelJobOperator"],
            "operators._files": ["RenderjuiceDownloadOperator", "RenderjuiceUploadOperator"],
            "operators._frames": ["RenderjuiceRenderFramesOperator"],
            "operators._jobs": ["RenderjuiceCreateJobOperator", "RenderjuiceValidateJobOperator"],
            "operators._rendering": ["RenderjuiceRenderJobOperator"],
            "operators._run_job": ["RenderjuiceRunJobOperator"],
            "sensors.renderjuice": ["RenderjuiceJobSensor"],
        }
    )

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """A page of this Airflow, relative to its root: it may have a base path."""
        return page_of_run(ti_key, RUN_PAGE)


def push_delivery(context: Context, operator: Any) -> None:
    """Give the task its button at once: Airflow itself stores it when the task ends, or defers."""
    ti: Any = context.get("ti")
    if ti is not None:
        ti.xcom_push(key=DELIVERY_KEY, value=RenderjuiceDeliveryLink().get_link(operator, ti_key=ti))


def push_preview(context: Context, job: Job | None = None) -> None:
    """Give the task its button, if the job's preview may be stored.

    A URL with a query may be signed, which is a secret.

    Without a preview an empty text is stored.
    """
    url, ti = (job.preview_url if job else None) or "", context.get("ti")
    if ti is not None:
        ti.xcom_push(key=PREVIEW_KEY, value=shown(url))
        keep_preview(getattr(ti, "task", None))


def keep_preview(operator: Any) -> None:
    """Note that this phase of the task, or one before, has stored something for the link."""
    if operator is not None:
        setattr(operator, _KEPT, True)
