"""A callback for a `DeadlineAlert` where no chat is connected: it logs that a run is late.

It is here because the triggerer, which runs such callbacks, does not see the DAG folder.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["log_missed_deadline"]

_log = logging.getLogger(__name__)


async def log_missed_deadline(context: Mapping[str, Any] | None = None) -> None:
    """Log in the triggerer which run has missed which deadline.

    Args:
        context: of Airflow: `dag_run` and `deadline`, as mappings.
    """
    run, deadline = ((context or {}).get(name) or {} for name in ("dag_run", "deadline"))
    _log.warning(
        "Run %s of %s has missed its deadline (%s)",
        run.get("dag_run_id", "?"),
        run.get("dag_id", "?"),
        deadline.get("deadline_time", "?"),
    )
