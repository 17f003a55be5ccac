"""Params that several DAGs have: the same words, and the same defaults."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from stages.defaults import DELIVERIES, QUALITIES, SHOT_LIST, WORK


def params(*names: str) -> dict[str, Any]:
    """Params by their names, in this order."""
    return {name: _PARAMS[name] for name in names}


_PARAMS: dict[str, Any] = {
    "shot_list": Param(SHOT_LIST, type="string", description="The shot list: a path, or any ObjectStoragePath URL"),
    "destination": Param(
        DELIVERIES,
        type="string",
        description="Where deliveries and summaries go: a folder that all workers share, or any ObjectStoragePath URL",
    ),
    "work": Param(WORK, type="string", description="Where rendered frames wait for compositing: likewise"),
    "date": Param(None, type=["null", "string"], format="date", description="The night; by default that of the start"),
    "quality": Param("auto", type="string", enum=[*QUALITIES], description="auto: by shot"),
    "ask_above": Param(
        None,
        type=["null", "number", "string"],
        description='Ask somebody before a shot that may cost more: normalized seconds, or money such as "20 EUR"',
    ),
}
