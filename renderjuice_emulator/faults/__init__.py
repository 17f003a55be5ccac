"""Everything that can go wrong on purpose, one class for each fault.

A fault is written as a short text, parsed strictly by the pattern of its class. Each class says
itself what happens to a request (`serve`), and to a webhook where that can have the fault
(`deliver`). `FAULTS` lists them all; the table in docs/emulator.md holds the same sentences.

A new fault is one class in `responses` or `transport`, its row in that table, and a test.
"""

from renderjuice_emulator.faults import responses, transport
from renderjuice_emulator.faults.base import FAULTS, Fault
from renderjuice_emulator.faults.queues import Faults

__all__ = ["FAULTS", "Fault", "Faults", "responses", "transport"]
