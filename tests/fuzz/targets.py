"""Every public function that takes what others wrote, with inputs and what must hold."""

from __future__ import annotations

from tests.fuzz import asked, decided, emulated, read, staged

TARGETS = [*asked.TARGETS, *read.TARGETS, *decided.TARGETS, *staged.TARGETS, *emulated.TARGETS]
