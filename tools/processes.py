"""Starting programs so that nothing of them is left behind."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

PORTS = range(20_000, 30_000)
"""Below the ports that the system gives to a server that asks for any, so none of those is taken
meanwhile."""
_CLAIMS = Path(tempfile.gettempdir()) / f"renderjuice-ports-{os.getuid()}"
_claimed: list[int] = []
"""Locks: files that stay open until this process ends."""


def free_port(wanted: int = 0) -> int:
    """A free port of this machine, for a server that cannot choose one by itself.

    `wanted`, if it is free.

    No other call gets the same port while this process lives, in this process or in another one, so
    the server may take its time until it listens.
    """
    for port in itertools.chain([wanted] if wanted else [], random.sample(PORTS, len(PORTS))):
        if _claim(port):
            return port
    raise OSError("no free port on this machine")


def _claim(port: int) -> bool:
    _CLAIMS.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(_CLAIMS / str(port), os.O_CREAT | os.O_WRONLY, 0o600)
    with contextlib.suppress(OSError), socket.socket() as probe:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        _claimed.append(lock)
        return True
    os.close(lock)
    return False


class Program:
    """A program in a session of its own, its output in a log file.

    Airflow's components start children that survive their parent and rename themselves; the session
    is what they cannot leave, so the session is what is stopped.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the program itself, and the number of its session."""
        return self.process.pid

    def check(self) -> None:
        """Raise with the end of the log if the program has ended."""
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}; the end of {self.log}:\n{tail}")

    def stop(self, patience: float = 15.0) -> None:
        """End the whole session: politely, then not."""
        stop_sessions([self.pid], patience)
        self.process.wait()

    def kill(self) -> None:
        """SIGKILL for the whole session, as when a machine loses power.

        Nothing of it gets to report anything.
        """
        signal_sessions([self.pid], signal.SIGSTOP)  # first, or a parent would see its child die, and report it
        while signal_sessions([self.pid], signal.SIGKILL):
            time.sleep(0.05)
        self.process.wait()


def stop_sessions(sessions: Sequence[int], patience: float = 15.0) -> None:
    """End every process of these sessions."""
    signal_sessions(sessions, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while _members(sessions) and time.monotonic() < deadline:
        time.sleep(0.1)
    while signal_sessions(sessions, signal.SIGKILL):
        time.sleep(0.05)


def signal_sessions(sessions: Sequence[int], number: signal.Signals) -> int:
    """Send a signal to every process of these sessions, and return how many there were."""
    members = _members(sessions)
    for process in members:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)
    return len(members)


def cpu_seconds(sessions: Sequence[int]) -> float:
    """What the processes of these sessions have used so far, with children that have ended."""
    used = 0.0
    for process in _members(sessions):
        with contextlib.suppress(psutil.Error):
            used += sum(process.cpu_times()[:4])  # its own, and of its children that it has waited for
    return used


def _members(sessions: Sequence[int]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
