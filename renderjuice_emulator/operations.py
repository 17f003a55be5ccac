"""The operations of the emulator, derived from its routes.

Each is declared once, where it is served. The ledger counts them by name, and faults are queued
for them by name.
"""

from __future__ import annotations

from renderjuice_emulator import api, storage_api
from renderjuice_emulator.routing import Operation, operations_of

API_OPERATIONS = operations_of(api.router.routes)
STORAGE_OPERATIONS = operations_of(storage_api.ROUTES, at_store=True)

OPERATIONS = {
    operation.name: operation
    for operation in (
        *API_OPERATIONS,
        *STORAGE_OPERATIONS,
        Operation("webhook"),  # the one that the emulator calls, and does not serve
    )
    if operation.takes_faults
}
"""By name: all that faults can be queued for."""
