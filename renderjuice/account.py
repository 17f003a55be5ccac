"""Where the API key and the address come from: never from an argument, which others can see.

Looked for in this order: `--connection` (an Airflow connection), `--key-stdin`, `--key-file`, the
variables `RENDERJUICE_API_KEY` and `RENDERJUICE_API_KEY_FILE`, and the file `renderjuice/key` in
the user's configuration folder. A file must be readable by its owner alone.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from renderjuice.exits import KeyMissingError
from renderjuice_provider.api._origin import DEFAULT_BASE_URL
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact

KEY = "RENDERJUICE_API_KEY"
KEY_FILE = "RENDERJUICE_API_KEY_FILE"
BASE_URL = "RENDERJUICE_BASE_URL"
ALLOW_HTTP = "RENDERJUICE_ALLOW_HTTP"
CONNECTION = "RENDERJUICE_CONN_ID"
_LONGEST_KEY = 4096
"""Characters that are read of a file or of the standard input."""
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True)
class AccountOptions:
    """What the command line says of the account; None and False where it says nothing."""

    connection: str | None = None
    url: str | None = None
    key_file: Path | None = None
    key_stdin: bool = False


@dataclass(frozen=True)
class Account:
    """What a client is made with.

    Attributes:
        arguments: of `RenderjuiceClient`.
        source: where the key was found, for people.
    """

    arguments: Mapping[str, Any] = field(repr=False)
    source: str

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return str(self.arguments["base_url"])


def config_folder(environment: Mapping[str, str]) -> Path:
    """The user's configuration folder of this program."""
    return _user_folder(environment, "XDG_CONFIG_HOME", ".config")


def state_folder(environment: Mapping[str, str]) -> Path:
    """The folder in which this program notes what it has ordered."""
    return _user_folder(environment, "XDG_STATE_HOME", ".local/state")


def _user_folder(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    root = environment.get(variable) or (environment.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    return Path(root or Path.home() / usual) / "renderjuice"


def find_account(
    options: AccountOptions, environment: Mapping[str, str] = os.environ, stdin: TextIO | None = None
) -> Account:
    """The account that is meant.

    Raises:
        KeyMissingError: when there is no key, saying where one is looked for.
        RenderjuiceInputError: for a file that others can read, or a connection that cannot be used.
    """
    connection = options.connection or (None if _names_a_key(options, environment) else environment.get(CONNECTION))
    if connection:
        return _of_airflow(connection)
    key, source = _key(options, environment, stdin or sys.stdin)
    arguments: dict[str, Any] = {"api_key": key, "base_url": base_url(options, environment)}
    if environment.get(ALLOW_HTTP, "").strip().lower() in _YES:
        arguments["allow_http"] = True
    return Account(arguments, source)


def base_url(options: AccountOptions, environment: Mapping[str, str] = os.environ) -> str:
    """The address of the API, where no connection says it."""
    return options.url or environment.get(BASE_URL) or DEFAULT_BASE_URL


def _names_a_key(options: AccountOptions, environment: Mapping[str, str]) -> bool:
    return bool(options.key_stdin or options.key_file or environment.get(KEY) or environment.get(KEY_FILE))


def _key(options: AccountOptions, environment: Mapping[str, str], stdin: TextIO) -> tuple[str, str]:
    if options.key_stdin:
        return _one_line(stdin.read(_LONGEST_KEY), "the standard input"), "the standard input"
    if options.key_file:
        return _of_file(options.key_file)
    if environment.get(KEY, "").strip():
        return environment[KEY].strip(), f"the variable {KEY}"
    if environment.get(KEY_FILE):
        return _of_file(Path(environment[KEY_FILE]))
    usual = config_folder(environment) / "key"
    if usual.exists():
        return _of_file(usual)
    raise KeyMissingError(
        f"There is no API key. Set {KEY}, write the key into {usual} (chmod 600), or pass --key-file, --key-stdin or "
        "--connection. The key is in the Renderjuice dashboard (RJ-...)"
    )


def _of_file(path: Path) -> tuple[str, str]:
    """The key in a file that nobody but its owner can read."""
    shown = redact(str(path))
    try:
        with path.open(encoding="utf-8") as file:
            about = os.fstat(file.fileno())
            others = stat.S_ISREG(about.st_mode) and about.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            if others and os.name == "posix":
                raise RenderjuiceInputError(
                    f"Others can read or change {shown}: chmod 600 it, and if they could, renew the key"
                )
            return _one_line(file.read(_LONGEST_KEY), shown), shown
    except OSError as error:
        raise KeyMissingError(f"The key file {shown} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyMissingError(f"The key file {shown} is no text") from None


def _one_line(text: str, where: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        raise KeyMissingError(f"One line with the API key is expected in {where}; there are {len(lines)}")
    return lines[0]


def _of_airflow(name: str) -> Account:
    """The connection, as the provider's operators would read it."""
    if find_spec("airflow") is None or find_spec("renderjuice_provider.hooks") is None:
        raise RenderjuiceInputError(
            "--connection reads an Airflow connection, and Airflow with airflow-provider-renderjuice is not "
            f"installed here. Without it, set {KEY}"
        )
    from renderjuice.airflow import connection_arguments

    return Account(connection_arguments(name), f"the Airflow connection {name}")
