"""Every public function that takes what others wrote, with inputs for it and what must hold of its results."""

from __future__ import annotations

from tests.fuzz import asked, decided, emulated, read, staged

TARGETS = [*asked.TARGETS, *read.TARGETS, *decided.TARGETS, *staged.TARGETS, *emulated.TARGETS]
