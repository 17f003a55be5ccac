"""What Renderjuice answers, as typed, frozen models.

They require as little as possible (a job is an `id` and a `status`), keep unknown fields, and read
a field of an unexpected type as absent: what the API adds or changes tomorrow must not break a
render that runs tonight. Field names are the API's own, in snake case. Source: the API reference's
pages on jobs, uploads and download URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    WrapValidator,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from renderjuice_provider.api._lazy import LazySequence
from renderjuice_provider.api.errors import RenderjuiceResponseError
from renderjuice_provider.api.redact import redact, storable

__all__ = [
    "RENDER_STARTED",
    "TERMINAL",
    "VALIDATION_OVER",
    "Downloads",
    "FailedReason",
    "Job",
    "JobOutput",
    "JobStatus",
    "OutputFile",
    "UploadTarget",
]

T = TypeVar("T")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}").fullmatch
LONGEST_SLUG = 2000
"""Characters of a slug. It goes through XCom to the next task and must come back as it was, so one
that cannot be stored is refused at once."""


def _or_none(value: Any, handler: Any) -> Any:
    # pydantic's own `on_error="default"` is quicker, but no other thread gets its turn while it
    # validates 100,000 items: a call in Python gives them one.
    try:
        return handler(value)
    except ValidationError:
        return None


Lenient = Annotated[T | None, WrapValidator(_or_none)]
"""A field that is None when it is absent, null, or not what it should be."""


def _printable(value: Any) -> Any:
    # Nearly every id and status is plain, and `redact` would leave it as it is.
    return redact(value) if isinstance(value, str) and not _PLAIN(value) else value


Word = Annotated[str, Field(min_length=1), BeforeValidator(_printable)]
"""A text that is compared, logged, stored and sent in events: made short and printable at once."""


def _as_it_is(value: str) -> str:
    if redact(value, longest=LONGEST_SLUG) != value:
        raise ValueError("it cannot be kept as it is")
    return value


class JobStatus(StrEnum):
    """The statuses that the documentation names.

    `Job.status` can be any text: compare it with these, and never call `JobStatus(...)` on it.
    """

    CREATED = "created"
    VALIDATING = "validating"
    VALIDATED = "validated"
    DEBUGGING = "debugging"
    BOOTING = "booting"
    RENDERING = "rendering"
    FINALIZING = "finalizing"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED})
RENDER_STARTED = frozenset({JobStatus.BOOTING, JobStatus.RENDERING, JobStatus.FINALIZING, *TERMINAL})
"""In these a render was ordered, or can no longer be ordered."""
VALIDATION_OVER = frozenset({JobStatus.VALIDATED, *RENDER_STARTED})


class ApiModel(BaseModel):
    """Camel case in the API, snake case in Python. Frozen. Keeps unknown fields, outside `repr`.

    As JSON (`model_dump(mode="json")`, and so as an XCom) its URLs have no queries, which is where
    signatures are.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    @model_serializer(mode="wrap", when_used="json")
    def _storable(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Make fields of any shape storable first: the serializer fails on deep or broken ones."""
        any_shape = {name: storable(value) for name, value in self if isinstance(value, (dict, list, str))}
        plain = self.model_copy(
            update={name: value for name, value in any_shape.items() if name in type(self).model_fields}
        )
        object.__setattr__(plain, "__pydantic_extra__", storable(self.model_extra or {}))
        return storable(handler(plain))  # type: ignore[no-any-return]

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Declared fields only: an unknown field may hold a signed URL."""
        return ((name, getattr(self, name)) for name, field in type(self).model_fields.items() if field.repr)


class FailedReason(ApiModel):
    """Why a job failed. The possible texts are not documented: show both, branch on neither."""

    name: Lenient[Annotated[str, BeforeValidator(_printable)]] = None
    type: Lenient[Annotated[str, BeforeValidator(_printable)]] = None

    def __str__(self) -> str:
        return ": ".join(part for part in (self.type, self.name) if part) or "no reason given"


class JobOutput(ApiModel):
    """About a job's output files."""

    is_deleted_for_client: Lenient[bool] = None


class Job(ApiModel):
    """One render job. Only `id` and `status` are sure to be there."""

    id: Word
    status: Word
    workspace_id: Lenient[str] = None
    created_at: Lenient[datetime] = None
    updated_at: Lenient[datetime] = None
    user_id: Lenient[str] = None
    root_folder_id: Lenient[str] = None
    normalized_seconds: Lenient[Annotated[float, Field(allow_inf_nan=False)]] = None
    """Render time in seconds, normalised for the speed of the GPU: close to the cost, and not the
    time that passed."""
    preview_url: Lenient[str] = Field(default=None, repr=False)
    failed_reason: Lenient[FailedReason] = None
    requested_config: Any = Field(default=None, repr=False)
    final_config: Any = Field(default=None, repr=False)
    output: Lenient[JobOutput] = None
    is_analysis_skipped: Lenient[bool] = None
    analysis_id: Lenient[str] = None
    analysis: Any = Field(default=None, repr=False)
    scene_file: Any = Field(default=None, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, well or not. An unknown status counts as running."""
        return self.status in TERMINAL

    @property
    def reason(self) -> str:
        """Why it ended without success, in Renderjuice's words, for messages."""
        return redact(str(self.failed_reason)) if self.failed_reason else "no reason given"


class UploadTarget(ApiModel):
    """Where to PUT a scene, and the slug that stands for it afterwards."""

    upload_url: str = Field(min_length=1, repr=False)
    slug: Annotated[str, Field(min_length=1), AfterValidator(_as_it_is)]
    expires_at: Lenient[datetime] = None


class OutputFile(ApiModel):
    """One file of a job's output. Its texts come from outside, and are not safe as paths."""

    url: str = Field(min_length=1, repr=False)
    file_name: Lenient[str] = None
    view: Lenient[str] = None
    legacy: Lenient[bool] = None
    relative_path: Lenient[str] = None
    composite_node_name: Lenient[str] = None


def _output_files(files: Sequence[Any]) -> Sequence[OutputFile]:
    return LazySequence(files, OutputFile.model_validate)


def _check_file(value: Any, handler: Any) -> Any:
    """Refuse a malformed file when the answer is read. Its model is made when it is asked for."""
    handler(value)
    return value


_CheckedFiles = Annotated[
    tuple[Annotated[OutputFile, WrapValidator(_check_file)], ...],
    AfterValidator(_output_files),
    PlainSerializer(tuple, return_type=tuple[OutputFile, ...]),
]


class Downloads(ApiModel):
    """A job's outputs: the old lists of URLs, and the newer lists that say more."""

    frames: Any = Field(default=None, repr=False)
    composite_nodes: Any = Field(default=None, repr=False)
    transforms: Any = Field(default=None, repr=False)
    frame_outputs: _CheckedFiles | None = None
    composite_node_outputs: _CheckedFiles | None = None

    @cached_property
    def frame_files(self) -> Sequence[OutputFile]:
        """The frames: the new list, or the legacy one where the new is absent or empty; never both.

        Raises:
            RenderjuiceResponseError: when the legacy list is needed and is not a list of URLs: no
                output is left out silently.
        """
        return self.frame_outputs or _legacy_files(self.frames)

    @cached_property
    def composite_files(self) -> Sequence[OutputFile]:
        """The compositor's outputs, chosen in the same way."""
        return self.composite_node_outputs or _legacy_files(self.composite_nodes)


def _legacy_files(urls: Any) -> Sequence[OutputFile]:
    if not isinstance(urls, (list, tuple, type(None))):
        raise RenderjuiceResponseError("Renderjuice's answer is not a download list: its outputs are not a list")
    files = [{"url": url} for url in urls or ()]
    for file in files:
        parse(OutputFile, file, "download list")
    return _output_files(files)


def parse(model: type[T], data: Any, what: str) -> T:
    """`data` as `model`.

    Raises:
        RenderjuiceResponseError: when it does not fit. The message names the fields, and shows none
            of their values.
    """
    try:
        return model.model_validate(data)  # type: ignore[attr-defined, no-any-return]
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, detail["loc"])) or "the whole" for detail in error.errors()}))
        raise RenderjuiceResponseError(
            f"Renderjuice's answer is not a valid {what}: {fields} missing or malformed"
        ) from None
