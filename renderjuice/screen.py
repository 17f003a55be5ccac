"""The progress of a batch: a table that is drawn again and again, or lines where nobody watches."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from renderjuice.output import Output, seconds
from renderjuice.walks import Seen
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.redact import redact, story

_FAR: dict[str, int] = {
    JobStatus.FAILED: 0,
    JobStatus.RENDERING: 1,
    JobStatus.FINALIZING: 2,
    JobStatus.BOOTING: 3,
    "downloading": 4,
    "uploading": 5,
    JobStatus.VALIDATING: 6,
    "checking": 7,
}
"""What is shown first where there is no room for all."""
_COLOURS: dict[str, str] = {
    JobStatus.COMPLETED: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELED: "yellow",
    JobStatus.RENDERING: "cyan",
}
_SPARE = 4
"""Lines of the terminal that are left alone."""


class Screen:
    """Shows walks while a `with` block runs.

    Args:
        output: of the command.
        quiet: whether to show nothing but what is said.
    """

    def __init__(self, output: Output, *, quiet: bool = False) -> None:
        self._output = output
        self._quiet = quiet
        self._walks: Sequence[Seen] = ()
        self._began = time.monotonic()
        self._console = Console(file=sys.stderr, highlight=False, markup=False)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """A line for people, above the table."""
        if self._live is None:
            self._output.say(text)
        else:
            self._console.print(Text(story(text)), soft_wrap=True)

    def log(self, text: str) -> None:
        """A line that says what the table shows: only where there is none."""
        if self._live is None and not self._quiet:
            self._output.say(text)

    def show(self, walks: Sequence[Seen]) -> Self:
        """Show these."""
        self._walks = walks
        return self

    def __enter__(self) -> Self:
        if self._output.is_live and not self._quiet:
            self._live = Live(
                get_renderable=self._draw,
                console=self._console,
                refresh_per_second=4,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # else data would go where the table is
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> Group:
        table = Table.grid(padding=(0, 2), expand=False)
        room = max(3, self._console.size.height - _SPARE)
        for seen in sorted(self._walks, key=lambda seen: _FAR.get(_state(seen), 9))[:room]:
            table.add_row(*self._row(seen))
        return Group(Text(self._summary()), table)

    def _row(self, seen: Seen) -> tuple[Text, Text, ProgressBar | Text, Text]:
        state, progress = _state(seen), seen.progress
        done, total = (progress.frames_done, progress.frames_total) if progress else (None, None)
        bar: ProgressBar | Text = Text("")
        if total and state == JobStatus.RENDERING:
            bar = ProgressBar(total=total, completed=done or 0, width=24)
        words = ""
        if progress and state == JobStatus.RENDERING:
            words = ", ".join(filter(None, [str(progress), seen.words_left(time.time())]))
        if seen.error is not None:
            words = str(getattr(seen.error, "what", seen.error)).removeprefix(f"{seen.name} ")
        elif seen.trouble is not None:
            words = f"not read: {seen.trouble.what}"
        return Text(redact(seen.name, longest=40)), Text(state, style=_COLOURS.get(state, "")), bar, Text(redact(words))

    def _summary(self) -> str:
        counts = Counter(_state(seen) for seen in self._walks)
        states = ", ".join(f"{count} {redact(state)}" for state, count in counts.most_common())
        return f"{len(self._walks)} in all: {states}; {seconds(time.monotonic() - self._began)}"


def _state(seen: Seen) -> str:
    """One word for the table: an error before there was a job is a failure, too."""
    if seen.error is not None and (seen.job is None or not seen.job.is_over):
        return "error"
    return seen.doing if seen.doing == "downloading" and not seen.is_over else seen.state
