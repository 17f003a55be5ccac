"""The log of a night's shares: who may spend what, kept where no crash can corrupt it.

    <destination>/nights/<night>/shares/000001.json, 000002.json, ...

Each file is the whole state of the night, made from the one before it. It is created exclusively: a
process that loses the race for a number reads again, and decides again. So any process may hand out
shares, one that was taken for dead included, and the highest file is what holds. Nothing is ever
deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from stages.records import RecordError, check_record
from stages.shares import Shares, hand_out
from stages.storage import create, join, read_json, storage

_NUMBER = re.compile(r"(\d{6,})\.json", re.ASCII)
_PATIENCE = 120.0
"""Seconds: a store may be slow, and hundreds of shots may want to write at once."""


def folder_of(destination: str, night: str) -> str:
    """Where the log of a night is."""
    return join(destination, "nights", night, "shares")


def read(folder: str) -> Shares | None:
    """The shares of a night; None where it has no ceiling.

    Raises:
        RecordError: when the log is not as it was written.
    """
    number = _highest(folder)
    return _read(folder, number) if number else None


def change(folder: str, transition: Callable[[Shares], Shares]) -> Shares:
    """Change the shares of a night, and hand out what can be.

    Args:
        folder: of the log.
        transition: of `stages.shares`. It is called again whenever another process was faster.

    Returns:
        The shares as they are then.

    Raises:
        RecordError: when there is no log, or it is not as it was written.
    """
    return _change(folder, transition)


def begin(folder: str, shares: Shares) -> Shares:
    """Write the first file of a night. Returns what holds: the night may have begun before."""
    try:
        create(folder, "000001.json", _content(shares))
    except FileExistsError:
        return _read(folder, _highest(folder))
    return shares


@retry(
    retry=retry_if_exception_type(FileExistsError),
    wait=wait_random_exponential(multiplier=0.02, max=1.0),
    stop=stop_after_delay(_PATIENCE),
    reraise=True,
)
def _change(folder: str, transition: Callable[[Shares], Shares]) -> Shares:
    number = _highest(folder)
    before = _read(folder, number)
    after = hand_out(transition(before))
    if after != before:
        create(folder, f"{number + 1:06d}.json", _content(after))
    return after


def _highest(folder: str) -> int:
    where = storage(folder)
    where.fs.invalidate_cache()
    try:
        names = [found for path in where.iterdir() if (found := _NUMBER.fullmatch(path.name))]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return max((int(found[1]) for found in names), default=0)


def _read(folder: str, number: int) -> Shares:
    path = join(folder, f"{number:06d}.json")
    found = read_json(path)
    if found is None:
        raise RecordError(f"{path} is not there, or cut short: it says who may spend what of the night's ceiling")
    check_record(found, Shares, path)
    return Shares.model_validate(found)


def _content(shares: Shares) -> bytes:
    return shares.model_dump_json(indent=1).encode()
