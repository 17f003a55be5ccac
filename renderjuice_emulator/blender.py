"""Renders with Blender, in a subprocess for each job that can be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from renderjuice_emulator.fence import fenced, only_ours, trusted_program
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder, SceneReport, inside

JOB_SCRIPT = Path(__file__).with_name("blender_job.py")

_LONGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one line from Blender: a report on thousands of missing textures is long."""

_REMEMBERED_NOISE = 4096
"""Bytes of Blender's chatter that are kept, to say what it last said when it crashes."""


def find_blender(explicit: str | None = None) -> list[str] | None:
    """The command that runs `blender_job.py` inside Blender, or None where there is no Blender.

    Searched for in this order: `explicit`, the environment variable `RENDERJUICE_BLENDER`, a
    `.venv-blender` in the current directory or above it, the running interpreter, `blender` on the
    path.

    Args:
        explicit: A Blender executable, or a Python interpreter that has the `bpy` module. When it
            (or the environment variable) is given but cannot be run, nothing else is tried.
    """
    chosen = explicit or os.environ.get("RENDERJUICE_BLENDER")
    if chosen:
        found = shutil.which(chosen)
        # Absolute, but with its links: a virtual environment is known by the place of its link.
        return _command(str(Path(found).absolute())) if found else None
    for folder in (Path.cwd(), *Path.cwd().parents):
        venv = folder / ".venv-blender"
        # Only what no other user could have put there: the current folder may be below /tmp.
        if any(map(only_ours, venv.glob("lib/python*/site-packages/bpy"))) and only_ours(venv / "bin" / "python"):
            return _command(str(venv / "bin" / "python"))
    if importlib.util.find_spec("bpy"):
        return _command(sys.executable)
    blender = trusted_program("blender")
    return _command(blender) if blender else None


def _command(executable: str) -> list[str]:
    if Path(executable).name.startswith("python"):
        # -P: what lies next to the script must not shadow other modules.
        return [executable, "-P", str(JOB_SCRIPT)]
    return [executable, "--background", "--factory-startup", "--disable-autoexec", "--python", str(JOB_SCRIPT)]


class BlenderRenderer:
    """The `Renderer` that runs Blender.

    A scene that fails does so with one of these types: `SCENE_UNREADABLE`, `NO_CAMERA`,
    `INVALID_CONFIG` (Blender knows no such format, engine or colour depth), `NO_GPU` (EEVEE and
    Workbench need OpenGL), `RENDER_ERROR` (Blender's own words), and `CRASHED` (Blender ended by
    itself; its exit code and last words).

    Args:
        command: What `find_blender` returns.
    """

    name = "blender"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    async def analyze(self, scene: Path) -> SceneReport:
        """Open the `.blend`, its scripts disabled, and report.

        Raises:
            RenderFailedError: it cannot be opened.
        """
        async with contextlib.aclosing(self._run(_job("analyze", scene), scene)) as messages:
            async for message in messages:
                fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in message.items()}
                return SceneReport(**fields)
        raise RenderFailedError("Blender had nothing to say about this scene", "CRASHED")

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        """Render frame after frame, yielding each file once it is closed.

        Closing the iterator kills Blender at once.

        Raises:
            RenderFailedError: with a type from the list in this class's description; files yielded
                before stay.
        """
        engine = order.config.get("renderEngine", order.report.engine)
        drawn = False
        job = _job("render", order.scene)
        destination = order.destination.absolute()
        destination.mkdir(parents=True, exist_ok=True)
        job |= {"destination": str(destination), "frames": order.frames, "config": dict(order.config)}
        async with contextlib.aclosing(self._run(job, order.scene, destination)) as messages:
            try:
                async for message in messages:
                    drawn = True
                    yield RenderedFile(**{**message, "path": inside(destination, Path(message["path"]))})
            except RenderFailedError as error:
                if error.type == "CRASHED" and engine != "CYCLES" and not drawn:
                    # Without OpenGL, these engines take the whole process down before they say why.
                    raise RenderFailedError(f"{engine} needs OpenGL, and failed here; use CYCLES", "NO_GPU") from error
                raise

    async def _run(
        self, job: Mapping[str, Any], scene: Path, destination: Path | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """Give Blender one job, and yield the messages that it answers with."""
        command = fenced(self._command, readable=[scene.parent], writable=destination)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_MESSAGE,
            start_new_session=True,
        )
        # The type checker cannot see that all three are pipes.
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        noise = asyncio.create_task(_last_words(process.stderr))
        try:
            # It stays open: Blender ends when it ends, also where this process dies and cannot kill
            # it.
            process.stdin.write(json.dumps(job).encode() + b"\n")
            async for line in process.stdout:
                if line.startswith(b'{"message"'):  # Before the script begins, Blender greets.
                    yield _fields(line)
            if await process.wait():
                raise RenderFailedError(f"Blender {_fate(process.returncode)}: {await noise}", "CRASHED")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.stdin.close()
            await process.stdout.read()
            await noise
            await process.wait()


def _job(command: str, scene: Path) -> dict[str, Any]:
    return {"command": command, "scene": str(scene.absolute())}


def _fields(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line)
    if fields.pop("message") == "error":
        raise RenderFailedError(fields["name"], fields["type"])
    return fields


def _fate(code: int | None) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit code {code}"


async def _last_words(stream: asyncio.StreamReader) -> str:
    """Read all that Blender says, so that no full pipe blocks it; return its last lines."""
    said = b""
    while chunk := await stream.read(65536):
        said = (said + chunk)[-_REMEMBERED_NOISE:]
    return " / ".join(line.strip() for line in said.decode(errors="replace").splitlines()[-5:] if line.strip())
