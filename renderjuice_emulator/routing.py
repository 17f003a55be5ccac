"""From a request to the operation that it asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from starlette.routing import BaseRoute, Route

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True)
class Operation:
    """One call of the API or of the store, as its route declares it.

    A parameter `id` in the path is the id of the job that the request concerns.
    """

    name: str
    method: str = "POST"
    path: re.Pattern[str] = _NOTHING
    at_store: bool = False
    """Served by the object store, which knows signed URLs instead of the API key."""
    takes_faults: bool = True

    @property
    def concerns_one_file(self) -> bool:
        """Whether a request concerns one uploaded file: all but the lists do."""
        return self.method != "GET" or bool(self.path.groups)


def operations_of(routes: Sequence[BaseRoute], *, at_store: bool = False) -> tuple[Operation, ...]:
    """One operation for each route, by the route's name.

    A route outside the schema has no faults.
    """
    return tuple(
        Operation(route.name, method, route.path_regex, at_store, route.include_in_schema)
        for route in cast(Sequence[Route], routes)
        for method in (route.methods or set()) - {"HEAD"}
    )


def recognise(operations: Sequence[Operation], method: str, path: str) -> tuple[Operation | None, str | None]:
    """The operation that a request asks for, if any, and the id of the job that it concerns."""
    for operation in operations:
        if method == operation.method and (match := operation.path.fullmatch(path)):
            return operation, match.groupdict().get("id")
    return None, None
