"""Data to the standard output, talk and progress to the standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import IO, Any

from rich.cells import cell_len

from renderjuice_provider.api.redact import redact, storable, story


class Output:
    """Where a command writes.

    Args:
        json_lines: whether each piece of data is one line of JSON; else it is a line of columns,
            with tabs between them.
        stdout: gets data.
        stderr: gets everything else.
    """

    def __init__(
        self, *, json_lines: bool = False, stdout: IO[str] | None = None, stderr: IO[str] | None = None
    ) -> None:
        self.json_lines = json_lines
        self._given = stdout
        self._stderr = stderr or sys.stderr

    @property
    def _stdout(self) -> IO[str]:
        """Looked up each time: a table that is drawn on the same terminal makes room for lines."""
        return self._given or sys.stdout

    @property
    def is_live(self) -> bool:
        """Whether a person watches, so that lines may be drawn again."""
        return self._stderr.isatty() and os.environ.get("TERM") != "dumb"

    def data(self, fields: Mapping[str, Any], *columns: Any) -> None:
        """One piece of data: `fields` as JSON, or `columns` as text.

        What came from outside is made printable, and URLs lose their queries.
        """
        if self.json_lines:
            line = json.dumps(storable(dict(fields)), ensure_ascii=False, allow_nan=False)
        else:
            line = "\t".join("" if column is None else redact(str(column)) for column in columns)
        self._write_data(f"{line}\n")

    def table(self, rows: Sequence[tuple[Mapping[str, Any], Sequence[Any]]]) -> None:
        """Several pieces of data; for a person at a terminal, in columns of one width."""
        if self.json_lines or not self._stdout.isatty():
            for fields, columns in rows:
                self.data(fields, *columns)
            return
        texts = [["" if column is None else redact(str(column)) for column in columns] for _, columns in rows]
        widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
        for row in texts:  # some characters are two columns wide, and some are none
            padded = [text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
            self._write_data("  ".join(padded).rstrip() + "\n")

    def say(self, *lines: str) -> None:
        """Sentences for the person at the terminal, each in a line: no name makes another one."""
        try:
            self._stderr.write("".join(f"{story(line)}\n" for line in lines))
            self._stderr.flush()
        except OSError:  # its reader has gone, or its terminal
            self._stderr = _nowhere(2)

    def _write_data(self, text: str) -> None:
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except BrokenPipeError:
            # The reader has seen enough (`| head`). What was begun goes on: it costs money.
            self._given = _nowhere(1)


def _nowhere(descriptor: int) -> IO[str]:
    """Takes all that is written from now on, also by others to this descriptor."""
    file = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the process ends
    os.dup2(file.fileno(), descriptor)
    return file


def seconds(value: float | None) -> str:
    """A length of time for people."""
    if value is None:
        return ""
    minutes, rest = divmod(round(max(0.0, value)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def size(value: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def when(moment: float) -> str:
    """A moment for people, in their own time."""
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")
