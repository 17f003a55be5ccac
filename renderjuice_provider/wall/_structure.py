"""How the tasks of a DAG hang together, and around which of them rows are made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from renderjuice_provider.wall.roles import PREPARES, RENDERS, Role, role_of


@dataclass(frozen=True)
class Structure:
    """The tasks of one version of a DAG.

    Attributes:
        operators: the name of each task's operator class, by its id.
        after: the ids of the tasks directly after each.
        params: the defaults of the DAG's parameters.
        fields: of our operators, the template fields that are no template in the DAG file.
    """

    operators: Mapping[str, str]
    after: Mapping[str, frozenset[str]]
    params: Mapping[str, object]
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def order(self) -> dict[str, int]:
        """The place of each task, in an order in which none comes before what it waits for."""
        before: dict[str, set[str]] = {task: set() for task in self.operators}
        for task, others in self.after.items():
            for other in others:
                before.setdefault(other, set()).add(task)
        try:
            found = TopologicalSorter({task: sorted(others) for task, others in sorted(before.items())}).static_order()
            return {task: place for place, task in enumerate(found)}
        except CycleError:
            return {task: place for place, task in enumerate(self.operators)}

    @cached_property
    def _before(self) -> dict[str, set[str]]:
        before: dict[str, set[str]] = {}
        for task, others in self.after.items():
            for other in others:
                before.setdefault(other, set()).add(task)
        return before

    def nearest(self, task: str, wanted: Iterable[str]) -> str | None:
        """Of `wanted`, the task that comes next after `task`, or else last before it."""
        goals = set(wanted)
        return self._first(task, self.after, goals) or self._first(task, self._before, goals)

    def _first(self, task: str, neighbours: Mapping[str, Iterable[str]], goals: set[str]) -> str | None:
        seen, ring = {task}, [task]
        while ring:
            ring = sorted({other for one in ring for other in neighbours.get(one, ())} - seen)
            seen.update(ring)
            if found := [one for one in ring if one in goals]:
                return found[0]
        return None

    def hearts(self, published: Iterable[str] = ()) -> dict[str, str]:
        """For each of our tasks, the task around which its row is made.

        A row is made around a task that renders: what prepares its job and what fetches its frames
        belong to it. Where nothing renders, around what comes last on the way to a render.

        Args:
            published: tasks that have published a job, whatever their operator is called.
        """
        have_job = set(published)
        roles = {task: role_of(name, task, has_job=task in have_job) for task, name in self.operators.items()}
        ours = {task: role for task, role in roles.items() if role in _OURS}
        rendering = [task for task, role in ours.items() if role in RENDERS]
        found = {task: task for task in rendering}
        for task in ours.keys() - found.keys():
            if near := self.nearest(task, rendering):
                found[task] = near
        alone = [task for task in ours if task not in found]
        for task in alone:
            related = [other for other in alone if other == task or self.nearest(task, [other])]
            best = min(related, key=lambda other: (_RANK[ours[other]], self.order.get(other, 0)))
            if _RANK[ours[best]] < _RANK[Role.CANCEL]:
                found[task] = best
        return found


_OURS = RENDERS | frozenset({*PREPARES, Role.WAIT, Role.CANCEL, Role.DOWNLOAD})
_RANK = {
    role: rank
    for rank, role in enumerate(
        (Role.WAIT, Role.VALIDATE, Role.CREATE, Role.UPLOAD, Role.DOWNLOAD, Role.CANCEL, *sorted(RENDERS))
    )
}
"""Where nothing renders: what a row is rather made around."""
