"""Let what clients return go from task to task.

Airflow rebuilds only classes that a process has allowed.

Every DAG file that imports our hook or operators at its top allows them. Where that happens inside
a task, the task that reads needs the import too, or `[core] allowed_deserialization_classes =
airflow.* renderjuice_provider.api.*`.
"""

from __future__ import annotations

from renderjuice_provider.api.config import OutputSettings, RenderConfig
from renderjuice_provider.api.models import Downloads, FailedReason, Job, JobOutput, OutputFile, UploadTarget
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.report import DownloadedFile, DownloadReport

try:
    from airflow.sdk import serde
except ImportError:  # before Airflow 3.2
    from airflow.serialization import serde  # type: ignore[attr-defined, no-redef]

MODELS: tuple[type, ...] = (
    DownloadedFile,
    DownloadReport,
    Downloads,
    FailedReason,
    Job,
    JobOutput,
    OutputFile,
    OutputSettings,
    Progress,
    RenderConfig,
    UploadTarget,
)


def allow_models() -> None:
    """Let tasks of this process read our models out of XComs.

    What is stored of them has lost the signatures of its URLs: see `ApiModel`.
    """
    if hasattr(serde, "allow_class"):
        for model in MODELS:
            serde.allow_class(model)
    else:  # before Airflow 3.3 there is the list, but no function for it
        serde._extra_allowed.update(f"{model.__module__}.{model.__name__}" for model in MODELS)  # noqa: SLF001
