"""What all operators share: a connection, a hook, and results that can be stored as XComs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from renderjuice_provider._left_reason import leaving_reason
from renderjuice_provider._templates import OnlyWrittenTemplates
from renderjuice_provider.api.redact import storable
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lineage import Lineage
from renderjuice_provider.links.renderjuice import keep_preview

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    from renderjuice_provider._operator_arguments import OperatorArguments
    from renderjuice_provider.api.client import RenderjuiceClient

_OURS = "renderjuice_provider."
_RESULTS = frozenset({"execute", "execute_complete", "summary"})
"""Methods of which the results become XComs."""
_MAY_FAIL = frozenset({"execute", "resume_execution"})
"""By which Airflow enters an operator."""


class RenderjuiceOperator(OnlyWrittenTemplates, BaseOperator):
    """An operator with a Renderjuice connection.

    Only what the DAG file says is rendered as a template.

    Args:
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.
    """

    ui_color = "#ffe3c2"
    template_fields: Sequence[str] = ("renderjuice_conn_id",)
    _result: Any = None
    multiple_outputs = False
    """Whether the operator returns a dict, whose keys are XComs of their own then:
    `render.output["job_id"]`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have operators leave why they fail, and make the results of our own storable as XComs.

        A studio's subclass may return anything.
        """
        super().__init_subclass__(**kwargs)
        for name in _MAY_FAIL & vars(cls).keys():
            setattr(cls, name, leaving_reason(getattr(cls, name)))
        for name in _RESULTS & vars(cls).keys() if cls.__module__.startswith(_OURS) else ():
            setattr(cls, name, _storable_result(getattr(cls, name)))

    def __init__(
        self, *, renderjuice_conn_id: str = "renderjuice_default", **kwargs: Unpack[OperatorArguments]
    ) -> None:
        kwargs.setdefault("multiple_outputs", type(self).multiple_outputs)
        super().__init__(**kwargs)
        self.renderjuice_conn_id = renderjuice_conn_id

    @cached_property
    def hook(self) -> RenderjuiceHook:
        """The hook of this task; its client lives as long as the process."""
        return RenderjuiceHook(self.renderjuice_conn_id)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, and keep what was stored for the link before the deferral."""
        keep_preview(self)
        return super().resume_execution(next_method, next_kwargs, context)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """For the OpenLineage provider: what this task has made of what, and of the render."""
        return self.lineage(self._result).to_openlineage()

    def lineage(self, result: Any) -> Lineage:
        """What this task has made of what.

        Args:
            result: what it returned; None where it has failed.
        """
        return Lineage()

    if TYPE_CHECKING:

        @property
        def output(self) -> PlainXComArg:
            """As for every operator. With Airflow's own type, mypy refuses `output["job_id"]`."""

    @property
    def client(self) -> RenderjuiceClient:
        """The hook's blocking client."""
        return self.hook.client


def _storable_result(execute: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(execute)
    def storable_execute(operator: Any, *args: Any, **kwargs: Any) -> Any:
        result = storable(execute(operator, *args, **kwargs))
        operator.__dict__["_result"] = result
        return result

    return storable_execute


def storage_path(path: Any) -> Any:
    """A local path as it is; a URL such as `s3://bucket/shots` as an `ObjectStoragePath`."""
    if isinstance(path, str) and "://" in path:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(path)
    return path


def scene_path(path: Any) -> Any:
    """As `storage_path`, but a file of this machine is always a local path.

    Its fingerprint is then a hash of its bytes. That of fsspec would also depend on its name and
    its time.
    """
    found = storage_path(path)
    return Path(found.path) if getattr(found, "protocol", None) == "file" else found
