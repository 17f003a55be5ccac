"""Small pictures of large ones, made by a process of its own that is started when needed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

CHILD = Path(__file__).with_name("_sizing_child.py")
_SECONDS = 30.0
"""For one picture, on a machine that has other things to do."""
_IDLE = 60.0
"""Seconds after which the process ends where there is nothing to do."""
LARGEST_AS_IT_IS = 2 << 20
"""Bytes of a picture that is shown as it came, where there is no OpenImageIO."""
MOST_PIXELS_AS_IT_IS = 1 << 24
"""Its pixels, of which a browser keeps four bytes each; a frame in 4K has half as many."""
_HEAD = 16
_STARTS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"v/1\x01": ".exr",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"BM": ".bmp",
    b"#?RADIANCE": ".hdr",
    b"#?RGBE": ".hdr",
    b"SDPX": ".dpx",
    b"XPDS": ".dpx",
}
"""How files begin; what a server or a name says of them is not believed."""


class NoPictureError(Exception):
    """Why there is no picture, in a few words."""


def ending_of(path: Path) -> str:
    """The ending of a picture file, by its first bytes; "" for what is none."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    return next((ending for start, ending in _STARTS.items() if head.startswith(start)), "")


def can_size() -> bool:
    """Whether OpenImageIO is installed (the extra `media`)."""
    return find_spec("OpenImageIO") is not None


class Sizer:
    """Makes small pictures, one after the other. It belongs to one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._ending: asyncio.TimerHandle | None = None

    async def size(self, source: Path, targets: Mapping[int, Path]) -> None:
        """Make small pictures of a file.

        Args:
            source: the file; its ending says its format.
            targets: where to, by the most pixels of a side.

        Raises:
            NoPictureError: when it cannot be done, whatever happened to the process.
        """
        async with self._turn:
            self._stay()
            order = {"source": str(source), "targets": {str(size): str(path) for size, path in targets.items()}}
            try:
                async with asyncio.timeout(_SECONDS):
                    answer = await self._ask(json.dumps(order).encode() + b"\n")
            except BaseException as error:
                await self._kill()
                if isinstance(error, TimeoutError):
                    raise NoPictureError("making it small took too long") from None
                raise
            self._ending = asyncio.get_running_loop().call_later(_IDLE, self._end)
            if why := answer.get("why"):
                raise NoPictureError(why)

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            self._stay()
            await self._kill()

    async def _ask(self, line: bytes) -> dict[str, str]:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await self._start()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - they are pipes
        with suppress(ConnectionError):  # a process that is gone has nothing to say either
            process.stdin.write(line)
            await process.stdin.drain()
        said = await process.stdout.readline()
        try:
            answer: dict[str, str] = json.loads(said)
        except ValueError:
            await self._kill()
            raise NoPictureError("it ended the process that should have made it small") from None
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        # Nothing of this environment: it may hold the keys of Airflow, and those of others.
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-B", str(CHILD)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )

    def _stay(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self) -> None:
        """Let the process end: its input does."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
