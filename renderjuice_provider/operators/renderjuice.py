"""The operators, under their public names."""

from renderjuice_provider._job_errors import (
    RenderjuiceCeilingError,
    RenderjuiceIncompleteError,
    RenderjuiceJobOverError,
    RenderjuiceOtherOrderError,
)
from renderjuice_provider.operators._cancel import RenderjuiceCancelJobOperator
from renderjuice_provider.operators._files import RenderjuiceDownloadOperator, RenderjuiceUploadOperator
from renderjuice_provider.operators._frames import RenderjuiceRenderFramesOperator
from renderjuice_provider.operators._jobs import RenderjuiceCreateJobOperator, RenderjuiceValidateJobOperator
from renderjuice_provider.operators._rendering import RenderjuiceRenderJobOperator
from renderjuice_provider.operators._run_job import RenderjuiceRunJobOperator

__all__ = [
    "RenderjuiceCancelJobOperator",
    "RenderjuiceCeilingError",
    "RenderjuiceCreateJobOperator",
    "RenderjuiceDownloadOperator",
    "RenderjuiceIncompleteError",
    "RenderjuiceJobOverError",
    "RenderjuiceOtherOrderError",
    "RenderjuiceRenderFramesOperator",
    "RenderjuiceRenderJobOperator",
    "RenderjuiceRunJobOperator",
    "RenderjuiceUploadOperator",
    "RenderjuiceValidateJobOperator",
]
