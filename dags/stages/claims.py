"""Which run has a shot: two that render the same at once would pay twice.

    <work>/<shot>/claims/0001.json   {"run_id": ..., "dag_id": ...}

The claim with the highest number owns the shot, until its run is over. A claim is created
exclusively: of two runs that want the same number, one gets it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from stages.storage import create, join, read_json, storage

_NUMBER = re.compile(r"(\d+)\.json", re.ASCII)
_PATIENCE = (0.2, 0.8, 2.0)
"""Seconds before a claim that cannot be read is read again: it may be written this moment."""


class ClaimedError(ValueError):
    """Another run has the shot."""


def claim(folder: str, run: Mapping[str, str], is_over: Callable[[str, str], bool]) -> bool:
    """Claim a shot for a run. To claim it twice for the same run is harmless.

    Args:
        folder: of the shot's claims: a local path, or any `ObjectStoragePath` URL.
        run: `run_id` and `dag_id`.
        is_over: whether a run (its `dag_id`, its `run_id`) is over, or unknown.

    Returns:
        Whether it had the shot already.

    Raises:
        ClaimedError: another run has the shot. The message says which.
    """
    while True:
        number, owner = _highest(folder)
        if owner == run:
            return True
        if number and owner and not is_over(owner["dag_id"], owner["run_id"]):
            raise ClaimedError(
                f"The run {owner['run_id']} of {owner['dag_id']} has this shot and is not over yet: wait for it, or mark it "
                "failed"
            )
        with suppress(FileExistsError):  # another run was faster: look again
            create(folder, f"{number + 1:04d}.json", json.dumps(dict(run), indent=2).encode())
            return False


def _highest(folder: str) -> tuple[int, dict[str, str] | None]:
    """The highest number, 0 where there is none, and its claim."""
    where = storage(folder)
    where.fs.invalidate_cache()
    try:
        names = [path.name for path in where.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    name = max((name for name in names if _NUMBER.fullmatch(name)), key=_number, default=None)
    if name is None:
        return 0, None
    for pause in (*_PATIENCE, 0.0):
        owner = read_json(join(folder, name))
        if isinstance(owner, dict) and isinstance(owner.get("run_id"), str) and isinstance(owner.get("dag_id"), str):
            return _number(name), {"run_id": owner["run_id"], "dag_id": owner["dag_id"]}
        time.sleep(pause)
    return _number(name), None  # its run died while it wrote, and has rendered nothing


def _number(name: str) -> int:
    return int(name.removesuffix(".json"))
