"""A fence around Blender: a scene is a program, and must get to make pictures only.

No list of what a scene may do is complete: style modules run as Python, a second scene's compositor
writes where it likes, caches have folders of their own. So Blender runs in a sandbox, bubblewrap's.
It sees the system's programs, itself and its scene, and can write to the folder of its outputs and
to a /tmp of its own. It has no network, no environment and no privileges, and limits of memory,
files and processes. Where there is no sandbox the emulator says so when it starts.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
"""What programs need of the system. Not /home, not /etc as a whole: what Blender reads may end in a
picture that is downloaded."""
_SCRATCH = 4 << 30
"""Bytes of the /tmp inside, which lives in memory."""
_LONGEST_FILE = 16 << 30
"""Bytes of one file; a frame of 16K with many passes has some gigabytes."""
_PROCESSES = 4096
"""Processes and threads. Blender takes some for each core."""


@cache
def bubblewrap() -> str | None:
    """The sandbox, if there is one and it may be used here: some containers forbid it."""
    program = trusted_program("bwrap")
    if program is None:
        return None
    trial = [program, *_options((), None), "--", "/usr/bin/env", "true"]
    try:
        done = subprocess.run(trial, capture_output=True, timeout=10, check=False)  # noqa: S603 - a program of the system
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else program


def fenced(command: Sequence[str], *, readable: Iterable[Path], writable: Path | None) -> list[str]:
    """`command` inside the fence, or as it is where there is no sandbox.

    Args:
        command: the program first, with a path.
        readable: what it needs besides the system and its own files: its scene.
        writable: the one folder that it may write to, besides /tmp.
    """
    sandbox = bubblewrap()
    if sandbox is None:
        return list(command)
    program = os.path.abspath(command[0])  # noqa: PTH100 - links stay: a Python finds its environment by its own name
    return [sandbox, *_options([*_homes(command), *readable], writable), "--", program, *command[1:]]


def limits() -> None:
    """Set limits for this process and its children, with a fence or without one.

    Blender's script does this first of all.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for what, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, _LONGEST_FILE),
        (resource.RLIMIT_NPROC, _PROCESSES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard),) * 2)


def trusted_program(name: str) -> str | None:
    """The program of this name, from the first folder on the path that only we can write to."""
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder) if os.path.isabs(folder) else None  # noqa: PTH117 - it may be empty
        if found and only_ours(Path(found)):
            return found
    return None


def only_ours(path: Path) -> bool:
    """Whether only we and root could have put `path` there: it, links to it, folders above."""
    return all(map(_is_ours, _way(path)))


def _way(path: Path) -> Iterator[Path]:
    """`path`, its folders, and the same of where links lead."""
    absolute, resolved = path.absolute(), path.resolve()
    yield from {absolute, *absolute.parents, resolved, *resolved.parents}


def _is_ours(path: Path) -> bool:
    try:
        said = path.lstat()
    except OSError:
        return False
    if said.st_uid not in {0, os.geteuid()}:
        return False
    if (
        stat.S_ISLNK(said.st_mode) or said.st_mode & stat.S_ISVTX
    ):  # in a folder like /tmp others may add, but not replace
        return True
    strangers = said.st_mode & stat.S_IWGRP and said.st_gid not in {0, os.getegid()}
    return not (said.st_mode & stat.S_IWOTH or strangers)


def _options(readable: Iterable[Path], writable: Path | None) -> list[str]:
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    options += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8"]  # noqa: S108
    options += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SCRATCH), "--tmpfs", "/tmp"]  # noqa: S108 - its own
    for top in map(Path, _SYSTEM):
        if top.is_symlink():
            options += ["--symlink", str(top.readlink()), str(top)]
        elif top.exists():
            options += ["--ro-bind", str(top), str(top)]
    for path in map(os.path.abspath, readable):
        options += ["--ro-bind", path, path]
    if writable:
        options += ["--bind", str(writable), str(writable), "--chdir", str(writable)]
    return options


def _homes(command: Sequence[str]) -> Iterator[Path]:
    """Where the program has its own files.

    A Blender has them beside it, a Python in its environment and in the Python below that.
    """
    program = Path(command[0]).absolute()
    yield from (Path(word).parent for word in command[1:] if os.path.isabs(word))  # noqa: PTH117 - the script's package
    if (configuration := program.parent.parent / "pyvenv.cfg").exists():
        yield program.parent.parent
        home = next(
            line.partition("=")[2] for line in configuration.read_text().splitlines() if line.startswith("home")
        )
        program = Path(home.strip()) / program.name
    real = program.resolve()
    prefix = real.parent.parent if real.parent.name == "bin" else real.parent
    if not prefix.is_relative_to("/usr") and prefix != Path("/"):
        yield prefix
