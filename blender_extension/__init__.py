"""Renderjuice in Blender: check and pack the open scene, render it, and put the frames back.

Two ways: the studio's pipeline, by Airflow's REST API, or a job of Renderjuice's, by our client.
Modules that need no Blender (`airflow`, `direct`, `packing`, `records`, `work`) import none, so
they are tested without one. Imports are relative: Blender chooses the name of the package.
"""

from __future__ import annotations


def register() -> None:
    """Blender calls this when the extension is switched on."""
    from . import ui

    ui.register()


def unregister() -> None:
    """And this when it is switched off."""
    from . import ui

    ui.unregister()
