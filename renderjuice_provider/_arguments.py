"""Arguments as DAG authors and Airflow pass them: as text, and some known only at run time.

An `Argument` is checked as soon as its value is known: when the DAG is read, or, where it is a
template or an XComArg, once Airflow has rendered it. A rendered value is checked even when it
resembles a template: `renderjuice_provider._templates`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Generic, TypeVar, overload

from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._lenient import flag, frame_texts, is_template, number, parsed
from renderjuice_provider.api.config import ConfigModel
from renderjuice_provider.api.errors import RenderjuiceInputError

T = TypeVar("T")


class Argument(Generic[T]):
    """An attribute of an operator that is read and checked whenever it is set.

    Airflow sets it again with what it has rendered, so that is checked, too.

    Args:
        read: takes the value and the argument's name, and returns what is meant or raises
            `RenderjuiceInputError`.
    """

    def __init__(self, read: Callable[[Any, str], T]) -> None:
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, operator: None, owner: type) -> Argument[T]: ...
    @overload
    def __get__(self, operator: object, owner: type) -> T: ...
    def __get__(self, operator: object | None, owner: type) -> Argument[T] | T:
        if operator is None:
            return self
        try:
            return operator.__dict__[self._name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, operator: object, value: Any) -> None:
        is_known = getattr(operator, "is_rendered", False) or not is_unknown(value)
        operator.__dict__[self._name] = self._read(value, self._name) if is_known else value


def is_unknown(value: Any) -> bool:
    """Whether it is known only at run time: a template, or an XComArg."""
    return is_template(value) or is_reference(value)


def is_reference(value: Any) -> bool:
    """Whether it stands for what a task returns: an XComArg, or a mapped group's argument."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def truth(value: Any, name: str) -> bool:
    """True or False, from a bool or the word for it.

    Raises:
        RenderjuiceInputError: for anything else: a text that is not empty would count as true, also
            "no".
    """
    found = None if is_template(value) else flag(value)
    if not isinstance(found, bool):
        raise RenderjuiceInputError(f'{name} must be True or False, or the text "true" or "false"; got {value!r}.')
    return found


def count(value: Any, name: str) -> int:
    """A whole number above 0; a text of one is one, since templates render to text.

    Raises:
        RenderjuiceInputError: for anything else.
    """
    found = None if is_template(value) else number(value)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise RenderjuiceInputError(f"{name} must be a whole number above 0; got {value!r}.")
    return found


def above_zero(value: Any) -> float | None:
    """A finite number above 0, also as text; None for anything else."""
    found = None if is_template(value) else number(value)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < float("inf"):
        return None
    return float(found)


def ceiling(value: Any, name: str) -> float | None:
    """Normalized seconds above 0; None for any number. A text of a number is one.

    Raises:
        RenderjuiceInputError: for anything else.
    """
    if value in (None, "None"):  # as a template renders it
        return None
    found = above_zero(value)
    if found is None:
        raise RenderjuiceInputError(f"{name} must be a number of normalized seconds above 0, or None; got {value!r}.")
    return found


def frames(value: Any, name: str) -> list[str] | None:
    """Frame ranges as texts; None where there are none.

    Raises:
        RenderjuiceInputError: for anything that is not a list of ranges.
    """
    found = None if value is None else frame_texts(value)
    if found is not None and not all(isinstance(part, str) and part for part in found):
        raise RenderjuiceInputError(f'{name} must be frame ranges, such as ["1-24"] or "1-10, 12"; got {value!r}.')
    return found


def plain_path(value: Any, _name: str) -> Any:
    """A `pathlib` path as text, since Airflow renders templates in texts only.

    Paths of object stores stay what they are.
    """
    return str(value) if isinstance(value, PurePath) and not hasattr(value, "storage_options") else value


def plain_config(value: Any, _name: str) -> Any:
    """A `RenderConfig` as a dict, also one inside a dict: Airflow renders in dicts only."""
    if isinstance(value, ConfigModel):
        return value.model_dump(by_alias=True, exclude_none=True)
    return {key: plain_config(item, _name) for key, item in value.items()} if isinstance(value, dict) else value


def slug(value: Any, name: str) -> str | None:
    """The slug of an upload, also a number that a template has made of it; None without one.

    Raises:
        RenderjuiceInputError: for anything else, such as the slugs of all of a mapped task.
    """
    if value in (None, "", "None"):  # as a template renders it
        return None
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise RenderjuiceInputError(f"{name} must be what RenderjuiceUploadOperator returned, or None; got {value!r}.")
    return value


def read_job_id(value: Any) -> str:
    """A job's id in the usual form of a UUID.

    It may be a text (also as JSON, or with blanks), a UUID, or what our operators return.

    Raises:
        RenderjuiceInputError: for anything else, saying what to pass.
    """
    found = parsed(value)
    if isinstance(found, Mapping):
        found = found.get("job_id") or found.get("id")
    if isinstance(found, uuid.UUID):
        found = str(found)
    if found is None:
        raise RenderjuiceInputError("job_id is None: the task that makes the job has returned nothing, or was skipped.")
    if not isinstance(found, str) and hasattr(found, "__len__"):
        raise RenderjuiceInputError(
            "job_id is a sequence of ids, as a mapped task returns: pass each to a task, with expand()."
        )
    return check_job_id(found.strip().strip("\"'") if isinstance(found, str) else found)
