"""JSON files that these DAGs wrote, read back: what they hold is checked before it is used.

A model here names only what is used, and anything else may stand beside it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from stages.storage import read_json

_MOST_NAMED = 5
"""Fields in a message."""


class RecordError(ValueError):
    """A file that is not as these DAGs write it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Gap(_Record):
    frames: list[int] = []
    node: str | None = None


class _DownloadedFile(_Record):
    place: str
    kind: str
    size: int
    view: str | None = None


class DownloadManifest(_Record):
    """What `RenderjuiceDownloadOperator` writes beside the files."""

    files: list[_DownloadedFile] = []
    requested_frames: list[int] | None = None
    missing: list[_Gap] = []
    remarks: dict[str, str] = {}
    again: list[str] = []


class DeliveryManifest(_Record):
    """What `stages.delivery` writes beside the files."""

    version: str
    fingerprint: str


def read_record(path: str, model: type[BaseModel]) -> Any:
    """The JSON in `path`, as it is there; None when there is no file, or only a part of one.

    Raises:
        RecordError: when it is not what `model` says.
    """
    content = read_json(path)
    return None if content is None else check_record(content, model, path)


def check_record(content: Any, model: type[BaseModel], path: str) -> Any:
    """`content` as it is.

    Raises:
        RecordError: when it is not what `model` says. The message names `path`, where it was found.
    """
    try:
        model.model_validate(content)
    except ValidationError as error:
        fields = [".".join(map(str, detail["loc"])) or "all of it" for detail in error.errors()]
        more = ["..."] if len(fields) > _MOST_NAMED else []
        raise RecordError(
            f"{path} is damaged, or was not written by these DAGs. Missing or malformed: "
            f"{', '.join([*fields[:_MOST_NAMED], *more])}. Restore the file, or move it away"
        ) from None
    return content
