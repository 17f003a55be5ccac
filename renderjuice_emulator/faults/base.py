"""What a fault is, and the list of all faults."""

from __future__ import annotations

import re
from typing import ClassVar

from renderjuice_emulator.delivery import Delivery
from renderjuice_emulator.exchange import Exchange

FAULTS: list[type[Fault]] = []
"""All faults, in the order of the documentation."""


class Fault:
    """One fault, parsed. `text` is how it was written.

    A subclass registers itself with these:

        pattern: what the whole text has to match; its groups are handed to the constructor.
        examples: texts that show how it is written.
        request: what happens to a request, in words.
        webhook: what happens to the delivery of an event, in words; empty where that cannot
            have this fault.
        at_store_only: only operations of the object store can have it.
    """

    pattern: ClassVar[re.Pattern[str]]
    examples: ClassVar[tuple[str, ...]]
    request: ClassVar[str]
    webhook: ClassVar[str]
    at_store_only: ClassVar[bool]

    def __init__(self, text: str, *_groups: str | None) -> None:
        self.text = text

    def __init_subclass__(
        cls, *, pattern: str, examples: tuple[str, ...], request: str, webhook: str = "", at_store_only: bool = False
    ) -> None:
        cls.pattern, cls.examples = re.compile(pattern), examples
        cls.request, cls.webhook, cls.at_store_only = request, webhook, at_store_only
        FAULTS.append(cls)

    @staticmethod
    def parse(text: str) -> Fault:
        """Read one fault.

        Raises:
            ValueError: the text is not a fault.
        """
        for kind in FAULTS:
            if match := kind.pattern.fullmatch(text):
                return kind(text, *match.groups())
        examples = ", ".join(example for kind in FAULTS for example in kind.examples)
        raise ValueError(f"{text!r} is not a fault; faults are {examples}")

    @property
    def noted(self) -> str | None:
        """What the ledger shows of it."""
        return self.text

    async def serve(self, exchange: Exchange) -> None:
        """Serve the request that meets this fault."""
        raise NotImplementedError

    async def deliver(self, delivery: Delivery) -> None:
        """Deliver the event that meets this fault."""
        raise NotImplementedError
