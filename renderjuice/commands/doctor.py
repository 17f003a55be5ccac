"""`renderjuice doctor`: what on this machine may keep a render from working, and what to do."""

from __future__ import annotations

from renderjuice import checks
from renderjuice.exits import Exit, gravest
from renderjuice.session import Session


def doctor(session: Session) -> Exit:
    """Check the key, the address, clock, proxy, disk, Blender and Airflow.

    Prints a line for each: ok, note or wrong, what was checked, and what to do. Ends with 3 when
    the key is refused, 7 when Renderjuice cannot be reached.
    """
    codes = []
    for check in checks.all_checks(session):
        fields = {"check": check.name, "state": check.state, "message": check.message}
        session.output.data(fields, check.state.ljust(5), check.name.ljust(8), check.message)
        codes.append(check.code)
    return gravest(codes)
