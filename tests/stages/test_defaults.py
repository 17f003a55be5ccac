"""What holds where nobody has said anything."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest
from stages import alerts, defaults, stuck

NAMES = ("DELIVERIES", "WORK", "SHOT_LIST", "POLL_INTERVAL", "POOL", "DEADLINE_HOURS", "STUCK_AFTER")


@pytest.mark.parametrize("module", [defaults, alerts, stuck])
def test_a_variable_that_is_set_to_nothing_is_as_one_that_is_not_set(monkeypatch, module):
    def fresh():
        spec = util.spec_from_file_location("fresh", Path(module.__file__))
        made = util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return {name: getattr(made, name) for name in (*NAMES, "HOURS") if hasattr(made, name)}

    for name in NAMES:
        monkeypatch.delenv(f"RENDERJUICE_{name}", raising=False)
    unset = fresh()
    for name in NAMES:
        monkeypatch.setenv(f"RENDERJUICE_{name}", "")

    assert fresh() == unset
    assert unset
