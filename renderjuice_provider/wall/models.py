"""What the wall's routes answer and take: the contract with its web page.

Times are UTC and become ISO 8601, durations are seconds, and every text is plain text. No URL with
a query and no key is ever in any of it. A field that is None is not known, or does not apply.
"""

from __future__ import annotations

from renderjuice_provider.wall._action_models import Act, Done, Plan, PlannedRow, Unsuccessful, WantedAction
from renderjuice_provider.wall._detail_models import Change, Configs, Detail, Frame, Past
from renderjuice_provider.wall._row_models import (
    OVER,
    STAGES,
    Action,
    Allowed,
    Connection,
    Expected,
    Frames,
    Layer,
    Links,
    Money,
    Night,
    Remaining,
    Row,
    RowState,
    Stage,
    StageState,
    Total,
)

__all__ = [
    "OVER",
    "STAGES",
    "Act",
    "Action",
    "Allowed",
    "Change",
    "Configs",
    "Connection",
    "Detail",
    "Done",
    "Expected",
    "Frame",
    "Frames",
    "Layer",
    "Links",
    "Money",
    "Night",
    "Past",
    "Plan",
    "PlannedRow",
    "Remaining",
    "Row",
    "RowState",
    "Stage",
    "StageState",
    "Total",
    "Unsuccessful",
    "WantedAction",
]
