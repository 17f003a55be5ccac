"""What `renderjuice doctor` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from renderjuice.account import Account, base_url, state_folder
from renderjuice.exits import Exit, of_error
from renderjuice.output import size
from renderjuice.session import Session
from renderjuice_provider import __version__
from renderjuice_provider.api._check import check as ask
from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import redact

_DISTRIBUTIONS = ("renderjuice", "airflow-provider-renderjuice")
_CLOCK_LIMIT = 60.0
"""Seconds by which the clock may be wrong: signed URLs live for some minutes."""
_ROOM = 5 << 30
"""Free bytes below which there is a note: a night of EXR frames takes more."""
_PATIENCE = 10.0
"""Seconds for another program or server to answer."""


@dataclass(frozen=True)
class Check:
    """What one check has found.

    Attributes:
        name: one word.
        state: `ok`; `note` for what may be as it is; `wrong` for what keeps a render from working.
        message: what is so, and what to do.
        code: for the command.
    """

    name: str
    state: Literal["ok", "note", "wrong"]
    message: str
    code: Exit = Exit.OK


def all_checks(session: Session) -> Iterator[Check]:
    """Every check, one after the other."""
    yield check_versions()
    try:
        account = session.account
    except RenderjuiceError as error:
        yield Check("key", "wrong", error.what, of_error(error))
        address = base_url(session.options)
    else:
        yield Check("key", "ok", f"found in {account.source}")
        yield check_account(account)
        address = account.base_url
    yield check_clock(address)
    yield check_proxy(address)
    yield check_disk()
    yield check_blender()
    if find_spec("airflow") is not None:
        from renderjuice.airflow import check_airflow

        yield from check_airflow(session.options.connection)


def check_versions() -> Check:
    """Whether two distributions with the same modules are installed in different versions."""
    found = {name: _version_of(name) for name in _DISTRIBUTIONS}
    installed = {name: number for name, number in found.items() if number}
    where = f"renderjuice {__version__}, Python {platform.python_version()}"
    if len(set(installed.values())) > 1:
        names = " and ".join(f"{name} {number}" for name, number in installed.items())
        return Check(
            "version", "wrong", f"{where}; {names} are installed, and hold the same modules: uninstall one", Exit.ERROR
        )
    return Check("version", "ok", where)


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_account(account: Account) -> Check:
    """Whether Renderjuice answers, and accepts the key."""
    accepted, message = ask(account.arguments, key_goes="to where it was found")
    if accepted:
        return Check("address", "ok", f"{account.base_url}: {message}")
    return Check("address", "wrong", message, Exit.KEY if "API key is refused" in message else Exit.ERROR)


def check_clock(address: str) -> Check:
    """Whether this clock agrees with the server's. Signed URLs expire by it."""
    import httpx

    try:
        proxy = proxy_for(address)
        # No key: any answer has the time.
        answer = httpx.get(address, timeout=_PATIENCE, proxy=proxy.url if proxy else None, trust_env=False)
        behind = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    except KeyError:
        return Check("clock", "note", "not compared: the answer bears no date")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        return Check("clock", "note", f"not compared with Renderjuice's: {type(error).__name__}")
    if abs(behind) > _CLOCK_LIMIT:
        how = "behind" if behind > 0 else "ahead"
        message = f"{abs(behind):.0f} s {how} of Renderjuice's: set it, or signed URLs seem to have expired"
        return Check("clock", "wrong", message, Exit.ERROR)
    return Check("clock", "ok", f"within {max(1, round(abs(behind)))} s of Renderjuice's")


def check_proxy(address: str) -> Check:
    """Which proxy is used, by the variable that names it: the value may hold a password."""
    proxy = proxy_for(address)
    if proxy is None:
        return Check("proxy", "ok", "none for this address")
    if proxy.url.startswith("socks") and find_spec("socksio") is None:
        return Check("proxy", "wrong", f"{proxy.variable} is a SOCKS proxy: install renderjuice[socks]", Exit.ERROR)
    return Check("proxy", "ok", f"as {proxy.variable} says")


def check_disk() -> Check:
    """Whether there is room for frames here, and whether orders can be noted."""
    orders = state_folder(os.environ) / "orders"
    try:
        orders.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = orders / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"{redact(str(orders))} cannot be written, so that nothing could be taken up: {error.strerror}"
        return Check("disk", "wrong", message, Exit.ERROR)
    free = shutil.disk_usage(Path.cwd()).free
    return Check("disk", "ok" if free > _ROOM else "note", f"{size(free)} free here; orders are noted in {orders}")


def check_blender() -> Check:
    """Whether there is a Blender. Only the emulator and artists need one."""
    program = os.environ.get("BLENDER") or shutil.which("blender")
    if program is None:
        found = "bpy" if find_spec("bpy") is not None else None
        return Check(
            "blender", "note" if found is None else "ok", found or "none on the path; only the emulator could use one"
        )
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Blender
            [program, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("blender", "note", f"{redact(program)} does not run: {type(error).__name__}")
    return Check("blender", "ok", f"{redact(done.stdout.partition(chr(10))[0])} ({redact(program)})")
