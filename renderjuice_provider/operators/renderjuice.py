"""The operators, under their public names."""

from renderjuice_provider._job_errors import RenderjuiceJobOverError, RenderjuiceOtherOrderError
from renderjuice_provider.operators._cancel import RenderjuiceCancelJobOperator
from renderjuice_provider.operators._files import RenderjuiceDownloadOperator, RenderjuiceUploadOperator
from renderjuice_provider.operators._jobs import RenderjuiceCreateJobOperator, RenderjuiceValidateJobOperator
from renderjuice_provider.operators._rendering import RenderjuiceRenderJobOperator, RenderjuiceRunJobOperator

__all__ = [
    "RenderjuiceCancelJobOperator",
    "RenderjuiceCreateJobOperator",
    "RenderjuiceDownloadOperator",
    "RenderjuiceJobOverError",
    "RenderjuiceOtherOrderError",
    "RenderjuiceRenderJobOperator",
    "RenderjuiceRunJobOperator",
    "RenderjuiceUploadOperator",
    "RenderjuiceValidateJobOperator",
]
