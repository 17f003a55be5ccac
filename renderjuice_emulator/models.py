"""The documented bodies, to check requests and for the OpenAPI description.

Keys are the API's own. Where Renderjuice's pages show only the first member of an enumeration, the
others are Blender's identifiers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired
from uuid import UUID

from pydantic import AnyUrl, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from renderjuice_emulator.states import Status

Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Pixels = Annotated[float, Field(gt=0, le=65536)]
_STRICT = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class UploadRequest(TypedDict):
    """What is to be uploaded. `fileType` has to match the extension of `fileName`."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    fileName: Name
    fileType: Literal["blend", "zip"]


class UploadTarget(TypedDict):
    """Where to PUT the file, until when, and the handle for what follows."""

    uploadUrl: Name
    slug: Name
    expiresAt: datetime


class JobRequest(TypedDict):
    """Which upload a job is made of."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    slug: Name


class OutputSettings(TypedDict, total=False):
    """How images are written."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    colorMode: Literal["BW", "RGB", "RGBA"]
    colorDepth: Literal["8", "10", "12", "16", "32"]
    exrCodec: Literal["NONE", "PXR24", "ZIP", "PIZ", "RLE", "ZIPS", "B44", "B44A", "DWAA", "DWAB"]
    tiffCodec: Literal["NONE", "DEFLATE", "LZW", "PACKBITS"]
    compression: float
    quality: float


class RenderConfig(TypedDict):
    """Overrides for the render; what is left out is as validation detected it."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    colorManagementPreset: Literal["default", "aces"]
    frameRanges: NotRequired[Annotated[list[str], Field(min_length=1)]]
    notes: NotRequired[str]
    renderEngine: NotRequired[Literal["CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT", "BLENDER_WORKBENCH"]]
    compositorDevice: NotRequired[Literal["CPU", "GPU"]]
    computeDeviceType: NotRequired[Literal["CUDA", "OPTIX", "HIP", "METAL", "ONEAPI", "NONE"]]
    gpuCount: NotRequired[Positive]
    sampleCount: NotRequired[Positive]
    denoisingEnabled: NotRequired[bool]
    denoiserType: NotRequired[Literal["OPTIX", "OPENIMAGEDENOISE"]]
    resolution: NotRequired[Annotated[list[Pixels], Field(min_length=2, max_length=2)]]
    resolutionPercentage: NotRequired[Annotated[float, Field(ge=1, le=32767)]]
    outputFormat: NotRequired[Literal["PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER", "TIFF"]]
    fps: NotRequired[Positive]
    useTiling: NotRequired[bool]
    tileSize: NotRequired[Positive]
    outputSettings: NotRequired[OutputSettings]
    minimumRam: NotRequired[Positive]


class RenderRequest(TypedDict):
    """How a job is to be rendered."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    requestedRenderConfig: RenderConfig


class FailedReason(TypedDict):
    """Why a job failed; the vocabulary is not published."""

    name: str
    type: str


class JobOutput(TypedDict):
    """About the output files."""

    isDeletedForClient: bool


class JobObject(TypedDict):
    """One job."""

    id: UUID
    status: Status
    workspaceId: UUID
    createdAt: datetime
    updatedAt: datetime
    userId: NotRequired[UUID]
    rootFolderId: NotRequired[UUID | None]
    normalizedSeconds: NotRequired[float]
    previewUrl: NotRequired[AnyUrl | None]
    failedReason: NotRequired[FailedReason]
    requestedConfig: NotRequired[Any]
    finalConfig: NotRequired[Any]
    output: NotRequired[JobOutput]
    isAnalysisSkipped: NotRequired[bool]
    analysisId: NotRequired[UUID | None]
    analysis: NotRequired[Any]
    sceneFile: NotRequired[Any]


class WrappedJob(TypedDict):
    """A job, wrapped in `data`."""

    data: JobObject


class Pagination(TypedDict):
    """Where in the list a page stands."""

    page: int
    pageSize: int
    total: int
    totalPages: int


class JobPage(TypedDict):
    """One page of jobs."""

    jobs: list[JobObject]
    pagination: Pagination


class OutputItem(TypedDict):
    """One output file."""

    url: AnyUrl
    fileName: str
    view: NotRequired[str]
    legacy: NotRequired[bool]
    relativePath: NotRequired[str]
    compositeNodeName: NotRequired[str]


class Transforms(TypedDict, total=False):
    """Archives (and videos) of the outputs."""

    framesZip: str
    compositeNodesZip: str
    video: dict[str, Any]
    framesZipOutputs: OutputItem
    compositeNodesZipOutputs: OutputItem


class Downloads(TypedDict):
    """Signed URLs of the outputs; all empty before output is ready.

    `frames` and `compositeNodes` are legacy.
    """

    frames: list[AnyUrl]
    compositeNodes: list[AnyUrl]
    transforms: Transforms
    frameOutputs: NotRequired[list[OutputItem]]
    compositeNodeOutputs: NotRequired[list[OutputItem]]


class ErrorBody(TypedDict):
    """An error, in the shape that the emulator assumes: Renderjuice does not document it."""

    statusCode: int
    error: str
    message: str
