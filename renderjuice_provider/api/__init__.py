"""Renderjuice over HTTP, without Airflow: `RenderjuiceClient(api_key)` works in any program.

    from renderjuice_provider.api import RenderjuiceClient

    with RenderjuiceClient(api_key) as client:
        for job in client.list_jobs():
            print(job.id, job.status)

What is named here is public; modules whose names begin with an underscore are not. Nothing is
imported before it is used, because Airflow parses DAG files again and again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
    from renderjuice_provider.api.config import OutputSettings, RenderConfig
    from renderjuice_provider.api.errors import (
        Bill,
        RenderjuiceAmbiguousError,
        RenderjuiceAuthenticationError,
        RenderjuiceCeilingError,
        RenderjuiceConnectionError,
        RenderjuiceError,
        RenderjuiceEventError,
        RenderjuiceHTTPError,
        RenderjuiceIncompleteError,
        RenderjuiceInputError,
        RenderjuiceJobError,
        RenderjuiceJobOverError,
        RenderjuiceNotFoundError,
        RenderjuiceOtherOrderError,
        RenderjuicePaymentError,
        RenderjuiceRateLimitError,
        RenderjuiceRefusedError,
        RenderjuiceResponseError,
        RenderjuiceServerError,
        RenderjuiceTimeoutError,
        RenderjuiceTransferError,
        RenderjuiceWebhookError,
        RetryEffect,
    )
    from renderjuice_provider.api.models import (
        Downloads,
        FailedReason,
        Job,
        JobOutput,
        JobStatus,
        OutputFile,
        UploadTarget,
    )
    from renderjuice_provider.api.progress import Progress
    from renderjuice_provider.api.report import DownloadedFile, DownloadReport
    from renderjuice_provider.api.retry import RetryPolicy

__all__ = [
    "AsyncRenderjuiceClient",
    "Bill",
    "DownloadReport",
    "DownloadedFile",
    "Downloads",
    "FailedReason",
    "Job",
    "JobOutput",
    "JobStatus",
    "OutputFile",
    "OutputSettings",
    "Progress",
    "RenderConfig",
    "RenderjuiceAmbiguousError",
    "RenderjuiceAuthenticationError",
    "RenderjuiceCeilingError",
    "RenderjuiceClient",
    "RenderjuiceConnectionError",
    "RenderjuiceError",
    "RenderjuiceEventError",
    "RenderjuiceHTTPError",
    "RenderjuiceIncompleteError",
    "RenderjuiceInputError",
    "RenderjuiceJobError",
    "RenderjuiceJobOverError",
    "RenderjuiceNotFoundError",
    "RenderjuiceOtherOrderError",
    "RenderjuicePaymentError",
    "RenderjuiceRateLimitError",
    "RenderjuiceRefusedError",
    "RenderjuiceResponseError",
    "RenderjuiceServerError",
    "RenderjuiceTimeoutError",
    "RenderjuiceTransferError",
    "RenderjuiceWebhookError",
    "RetryEffect",
    "RetryPolicy",
    "UploadTarget",
]

_MODULES = {
    "AsyncRenderjuiceClient": "client",
    "RenderjuiceClient": "client",
    "OutputSettings": "config",
    "RenderConfig": "config",
    "Downloads": "models",
    "FailedReason": "models",
    "Job": "models",
    "JobOutput": "models",
    "JobStatus": "models",
    "OutputFile": "models",
    "UploadTarget": "models",
    "Progress": "progress",
    "DownloadedFile": "report",
    "DownloadReport": "report",
    "RetryPolicy": "retry",
}
"""Where each name is defined; those that are not here are errors."""


if not TYPE_CHECKING:  # or a misspelt import would pass for mypy

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
        return getattr(module, name)

    def __dir__() -> list[str]:
        return __all__
