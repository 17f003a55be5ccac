"""What every command has: the account, the output, and one way to end."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec

import typer

from renderjuice.account import Account, AccountOptions, find_account, state_folder
from renderjuice.exits import Exit, of_error
from renderjuice.order_book import OrderBook
from renderjuice.output import Output
from renderjuice.scenes import STDIN
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError

P = ParamSpec("P")
_PANEL = "Account and output"
_COMMON: dict[str, Any] = {
    "connection": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="An Airflow connection with key and address, where Airflow is installed.",
            rich_help_panel=_PANEL,
        ),
    ],
    "url": Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The address of the API, if it is not Renderjuice's own.", rich_help_panel=_PANEL
        ),
    ],
    "key_file": Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file of mode 600 with the API key.", rich_help_panel=_PANEL),
    ],
    "key_stdin": Annotated[
        bool, typer.Option("--key-stdin", help="Read the API key from the standard input.", rich_help_panel=_PANEL)
    ],
    "json_lines": Annotated[
        bool, typer.Option("--json", help="Data as JSON, one object a line.", rich_help_panel=_PANEL)
    ],
}
"""The options of every command. Those that are not given are None, or False."""
_FLAGS = ("key_stdin", "json_lines")


class Session:
    """One run of one command.

    Args:
        options: of the account.
        output: where it writes.
    """

    def __init__(self, options: AccountOptions, output: Output) -> None:
        self.options = options
        self.output = output

    @cached_property
    def account(self) -> Account:
        """The account. Looked for when it is needed first: some commands need none."""
        return find_account(self.options)

    @cached_property
    def client(self) -> RenderjuiceClient:
        """The client of the account."""
        return RenderjuiceClient(**self.account.arguments)

    @cached_property
    def book(self) -> OrderBook:
        """What this machine has ordered from the API of this account."""
        return OrderBook(state_folder(os.environ) / "orders", self.client.base_url)

    def lines_of_stdin(self, arguments: Sequence[str]) -> list[str]:
        """What is piped in, line by line, where one of the arguments asks for it.

        Raises:
            RenderjuiceInputError: when the key comes that way, too.
        """
        if STDIN not in arguments:
            return []
        if self.options.key_stdin:
            raise RenderjuiceInputError("The standard input cannot bring the key and the list: use --key-file.")
        return [line.strip() for line in sys.stdin if line.strip()]


def command(app: typer.Typer) -> Callable[[Callable[Concatenate[Session, P], Exit]], Callable[..., None]]:
    """Make a command of a function that takes a session, and returns how it ended.

    It gets the options that every command has. Errors become a sentence and an exit code.
    """

    def register(function: Callable[Concatenate[Session, P], Exit]) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            common = {name: arguments.pop(name) for name in _COMMON}
            output = Output(json_lines=common.pop("json_lines"))
            raise typer.Exit(_ended(function, Session(AccountOptions(**common), output), arguments))

        run.__name__, run.__doc__ = function.__name__.rstrip("_"), function.__doc__
        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        parameters = [*own, *map(_parameter, _COMMON)]
        run.__dict__["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return app.command(name=run.__name__)(run)

    return register


def _parameter(name: str) -> inspect.Parameter:
    default = False if name in _FLAGS else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_COMMON[name])


def _ended(function: Callable[..., Exit], session: Session, arguments: dict[str, Any]) -> int:
    try:
        with _terminated_like_interrupted():
            return int(function(session, **arguments))
    except KeyboardInterrupt:
        session.output.say("Interrupted.")
        return int(Exit.INTERRUPTED)
    except (RenderjuiceError, OSError) as error:
        session.output.say(f"renderjuice: {error}")
        return int(of_error(error))


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM is answered as Ctrl-C is: what goes on running is said."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_keys(arguments: Sequence[str]) -> None:
    """Refuse a key on the command line: other users of the machine see it, and shells keep it.

    Raises:
        RenderjuiceInputError: without showing it.
    """
    if any(argument.partition("=")[2].startswith("RJ-") or argument.startswith("RJ-") for argument in arguments):
        raise RenderjuiceInputError(
            "An API key does not belong on the command line, where others can see it: renew it in the dashboard, and "
            "pass the new one in RENDERJUICE_API_KEY, with --key-file or with --key-stdin."
        )
