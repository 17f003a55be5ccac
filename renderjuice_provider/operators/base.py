"""What all operators share: a connection, a hook, and an input that is checked before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

if TYPE_CHECKING:
    from renderjuice_provider.api.client import RenderjuiceClient


class RenderjuiceOperator(BaseOperator):
    """An operator with a Renderjuice connection.

    Args:
        renderjuice_conn_id: see `RenderjuiceHook`.
    """

    ui_color = "#ffe3c2"
    template_fields: Sequence[str] = ("renderjuice_conn_id",)

    def __init__(self, *, renderjuice_conn_id: str = RenderjuiceHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renderjuice_conn_id = renderjuice_conn_id

    @cached_property
    def hook(self) -> RenderjuiceHook:
        """The hook of this task; its client lives as long as the process."""
        return RenderjuiceHook(self.renderjuice_conn_id)

    @property
    def client(self) -> RenderjuiceClient:
        """The hook's blocking client."""
        return self.hook.client


def storage_path(path: Any) -> Any:
    """A local path as it is; a URL such as `s3://bucket/shots` as an `ObjectStoragePath`."""
    if isinstance(path, str) and "://" in path:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(path)
    return path
