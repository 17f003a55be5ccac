"""The command `renderjuice`: which commands there are.

`docs/command-line.md` describes them. What they decide is in `renderjuice_provider`; what they do
on this machine is in the modules beside this one.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from renderjuice.commands import doctor, jobs, look, submit
from renderjuice.exits import Exit
from renderjuice.session import command, refuse_keys
from renderjuice_provider import __version__
from renderjuice_provider.api.errors import RenderjuiceError

app = typer.Typer(
    name="renderjuice",
    help="Render Blender scenes on Renderjuice.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # which show the values of variables
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (
    *(submit.submit, submit.validate, look.inspect, look.estimate_),
    *(jobs.list_, jobs.status, jobs.watch, jobs.wait, jobs.download, jobs.cancel, doctor.doctor),
):
    command(app)(function)


@app.callback(invoke_without_command=True)
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False
) -> None:
    if version:
        sys.stdout.write(f"renderjuice {__version__}\n")
        raise typer.Exit(Exit.OK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that a terminal cannot show must not end a paid command
            stream.reconfigure(errors="backslashreplace")
    try:
        refuse_keys(given)
        app(given, prog_name="renderjuice")
    except RenderjuiceError as error:
        sys.stderr.write(f"renderjuice: {error}\n")
        return int(Exit.USAGE)
    except SystemExit as ended:  # typer's way to end
        return ended.code if isinstance(ended.code, int) else int(Exit.USAGE)
    return int(Exit.OK)
