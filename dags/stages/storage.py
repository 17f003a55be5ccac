"""Read and write files on this machine or in any object store, in one way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from renderjuice_provider.api.redact import storable
from renderjuice_provider.storage import folder, whole_file

_TRIAL = ".renderjuice-trial"
"""An empty file, for a moment."""
_LASTING = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_LASTING_NUMBERS = frozenset({errno.EROFS, errno.ENAMETOOLONG})
"""Of errors that have no class."""


def storage(path: Any) -> Any:
    """An `ObjectStoragePath` for a local path, or a URL such as `s3://aws_default@bucket/shots`."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(str(path))


def join(path: str, *parts: str) -> str:
    """`path` with more parts, for URLs and local paths."""
    return "/".join([path.rstrip("/"), *parts])


def sha256(path: Any) -> str:
    """The SHA-256 of a file, which is streamed."""
    with storage(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names_in(folder: str) -> list[str]:
    """What is in a folder, by name, sorted; nothing where there is no folder."""
    where = storage(folder)
    where.fs.invalidate_cache()
    try:
        return sorted(path.name for path in where.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_json(path: str) -> Any:
    """What a JSON file holds; None when there is no file, or it is cut short."""
    try:
        return json.loads(storage(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None


def put_text(root: str, name: str, text: str) -> str:
    """Write `text` to `name` below `root`, whole or not at all. Returns the path."""
    with whole_file(folder(storage(root)), name) as path:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return join(root, name)


def put_json(root: str, name: str, content: Any) -> str:
    """`put_text` for JSON, indented for people."""
    content = storable(content, most=float("inf"), urls=False)
    return put_text(root, name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def create(folder: str, name: str, content: bytes) -> None:
    """Create a file that appears whole, and that nobody else has created.

    Raises:
        FileExistsError: when it is there already.
    """
    where: Any = storage(folder)
    if where.protocol not in {"", "file", "local"}:
        _create_object(where.fs, join(where.path, name), content)
        return
    path = Path(where.path)
    path.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path, prefix=".new-") as whole:
        whole.write(content)
        whole.flush()
        try:
            os.link(whole.name, path / name)
        except FileExistsError:
            raise
        except OSError:  # a share without hard links
            with (path / name).open("xb") as file:
                file.write(content)


def _create_object(store: Any, place: str, content: bytes) -> None:
    try:
        store.pipe_file(place, content, mode="create")
    except FileExistsError:
        raise
    except OSError as error:  # s3fs has no word of its own for an object that is there already
        store.invalidate_cache()
        if store.exists(place):
            raise FileExistsError(place) from error
        raise


def check_places(params: Mapping[str, Any]) -> None:
    """Look whether a run can write where its `destination` and `work` say, before money is spent.

    Raises:
        ValueError: when one of them is no whole path or URL, or nothing can be written there.
    """
    from stages.compat import AirflowNotFoundException

    for name in ("destination", "work"):
        place = str(params[name])
        if not place.startswith("/") and "://" not in place:  # each worker would begin elsewhere
            raise ValueError(f"`{name}` is {place!r}: write a whole path, such as /srv/renderjuice, or a URL")
        try:
            trial = storage(put_text(place, _TRIAL, ""))
        except (OSError, ValueError, ImportError, NotImplementedError, AirflowNotFoundException) as error:
            if isinstance(error, OSError) and not isinstance(error, _LASTING) and error.errno not in _LASTING_NUMBERS:
                raise  # it may pass, such as a store that is away
            raise ValueError(f"Nothing can be written to `{name}`, {place}: {error}") from error
        with suppress(OSError):  # another run had the same in mind, or may not remove
            trial.unlink()


@contextmanager
def local_copy(path: str) -> Iterator[Path]:
    """A local folder with what is in `path`: `path` itself, or a temporary copy."""
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
    """A local folder to write to. At the end, what is in it is in `path`."""
    target = storage(path)
    if target.protocol in {"", "file", "local"}:
        Path(target.path).mkdir(parents=True, exist_ok=True)
        yield Path(target.path)
        return
    with TemporaryDirectory(prefix="renderjuice-") as here:
        yield Path(here)
        target.fs.put(here + "/", target.path.rstrip("/") + "/", recursive=True)
