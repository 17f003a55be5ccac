"""Files that may be here or in any object store: one way to read them, and one to write them whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from renderjuice_provider.api.redact import storable
from renderjuice_provider.storage import folder, whole_file


def storage(path: Any) -> Any:
    """`path` as an `ObjectStoragePath`: a local path, or a URL such as `s3://aws_default@bucket/shots`."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(str(path))


def join(path: str, *parts: str) -> str:
    """`path` with more parts: ids in URLs and local paths alike."""
    return "/".join([path.rstrip("/"), *parts])


def sha256(path: Any) -> str:
    """Of a file, which is streamed."""
    with storage(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str) -> Any:
    """A JSON file; None when there is none, or half of one."""
    try:
        return json.loads(storage(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None


def put_text(root: str, name: str, text: str) -> str:
    """Write `text` to `name` below `root` so that nobody ever sees half of it, and return where it is."""
    with whole_file(folder(storage(root)), name) as path:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return join(root, name)


def put_json(root: str, name: str, content: Any) -> str:
    """`put_text` for JSON, for people to read as well."""
    content = storable(content, most=float("inf"), urls=False)
    return put_text(root, name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def local_copy(path: str) -> Iterator[Path]:
    """A folder of this machine with what is in `path`: itself when it is local, else a copy for as long as it is needed."""
    source = storage(path)
    if source.protocol in {"", "file", "local"}:
        yield Path(source.path)
        return
    with TemporaryDirectory(prefix="renderjuice-") as here:
        if source.exists():
            source.fs.get(source.path.rstrip("/") + "/", here + "/", recursive=True)
        yield Path(here)


@contextmanager
def local_result(path: str) -> Iterator[Path]:
    """A folder of this machine to write into; what is in it at the end is in `path`."""
    target = storage(path)
    if target.protocol in {"", "file", "local"}:
        Path(target.path).mkdir(parents=True, exist_ok=True)
        yield Path(target.path)
        return
    with TemporaryDirectory(prefix="renderjuice-") as here:
        yield Path(here)
        target.fs.put(here + "/", target.path.rstrip("/") + "/", recursive=True)
