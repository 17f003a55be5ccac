"""Runs inside Blender: how a job that fails says so."""

from __future__ import annotations


class JobError(Exception):
    """What ends this job, in words for the artist.

    `type` is one of those that `blender.py` lists.
    """

    def __init__(self, type_: str, name: str) -> None:
        super().__init__(name)
        self.type = type_


def words(error: Exception) -> str:
    """Blender's message on one line, without its formulas."""
    return " ".join(str(error).replace("Error: ", "").replace("bpy_struct: item.attr = val: ", "").split())
