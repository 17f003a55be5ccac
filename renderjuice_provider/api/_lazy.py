"""Long lists of small objects that Python's garbage collector does not have to walk through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T")


class LazySequence(Sequence[T]):
    """A sequence whose items are made each time they are asked for.

    The collector stops every thread while it walks through all objects that hold others. With
    100,000 outputs as models, sets and paths that takes a tenth of a second and more, in which the
    event loop stands still. Texts, numbers, and dicts of these are not walked through.

    Args:
        sources: what the items are made of.
        make: makes one item.
    """

    def __init__(self, sources: Sequence[Any], make: Callable[[Any], T]) -> None:
        self._sources = sources
        self._make = make

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> LazySequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | LazySequence[T]:
        if isinstance(index, slice):
            return LazySequence(self._sources[index], self._make)
        return self._make(self._sources[index])

    def __len__(self) -> int:
        return len(self._sources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (LazySequence, tuple)) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
