"""The operators, under their public names."""

from renderjuice_provider.deferral import RenderjuiceJobOverError
from renderjuice_provider.operators.cancel import RenderjuiceCancelJobOperator
from renderjuice_provider.operators.files import RenderjuiceDownloadOperator, RenderjuiceUploadOperator
from renderjuice_provider.operators.jobs import RenderjuiceCreateJobOperator, RenderjuiceValidateJobOperator
from renderjuice_provider.operators.rendering import (
    RenderjuiceOtherOrderError,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
)

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
