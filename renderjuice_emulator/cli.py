"""The command `renderjuice-emulator`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from renderjuice_emulator.mishaps import EXAMPLE, Mishaps
from renderjuice_emulator.rendering import SceneReport
from renderjuice_emulator.scenes import SceneDescription, write_scene
from renderjuice_emulator.server import DEFAULT_KEY, EmulatorServer, Settings

_BANNER = """\
Renderjuice emulator
  API         {base_url}
  key         {key}
  renderer    {renderer}
  clock       {clock}
  controls    {control_url} (anyone who knows this address may use them)
  OpenAPI     {openapi_url}

This is not Renderjuice: nothing leaves this machine, nothing is billed, and what Renderjuice does not document is a guess.
Stop it with Ctrl+C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        sys.stderr.write(f"renderjuice-emulator: {error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="renderjuice-emulator", description="A Renderjuice that runs on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the emulator until it is stopped")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument(
        "--port", type=int, default=8787, help="port of the API; the store takes the next one (%(default)s)"
    )
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which clients may call it, besides localhost and addresses; repeat for more",
    )
    serve.add_argument("--api-key", action="append", metavar="RJ-...", help="accepted key; repeat for more workspaces")
    serve.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="environment variable with an accepted key: arguments can be seen by others",
    )
    serve.add_argument(
        "--control-token-env", metavar="NAME", help="environment variable with the token in the controls' address"
    )
    serve.add_argument("--renderer", choices=("auto", "blender", "fast"), default="auto")
    serve.add_argument("--blender", metavar="PATH", help="a Blender, or a Python that has bpy")
    serve.add_argument(
        "--speed", type=float, default=1.0, metavar="N", help="emulated seconds per second (%(default)s)"
    )
    serve.add_argument("--manual-clock", action="store_true", help="time passes only by POST .../clock/advance")
    serve.add_argument("--slots", type=int, metavar="N", help="renders at once (1 with Blender, else any number)")
    serve.add_argument(
        "--mishaps",
        default="",
        metavar="TEXT",
        help=f"how much goes wrong with renders, such as {EXAMPLE!r}".replace("%", "%%"),
    )
    serve.add_argument(
        "--data", type=Path, metavar="DIR", help="keep uploads and outputs here, not in a temporary folder"
    )
    serve.add_argument("--webhook-url", metavar="URL", help="where events go")
    serve.add_argument(
        "--webhook-secret-env", metavar="NAME", help="environment variable with the secret that signs them"
    )
    serve.add_argument("--ready-file", type=Path, metavar="PATH", help="write addresses and pid here once it is ready")
    serve.set_defaults(run=_serve)

    names = ", ".join(
        item.name for kind in (SceneReport, SceneDescription) for item in fields(kind) if item.name != "report"
    )
    scene = commands.add_parser(
        "scene", help="write a tiny scene for the fast renderer", description=f"FIELD is one of: {names}."
    )
    scene.add_argument("path", type=Path)
    scene.add_argument(
        "values", nargs="*", metavar="FIELD=JSON", help="such as frame_end=24 resolution=[640,360] cameras=[]"
    )
    scene.add_argument("--size", type=int, default=0, metavar="BYTES", help="pad the file, sparsely")
    scene.set_defaults(run=_scene)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from renderjuice_emulator.renderers import choose_renderer

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("renderjuice_emulator").setLevel(logging.INFO)
    Mishaps.parse(options.mishaps)
    choice = choose_renderer(options.renderer, options.blender)
    key = _from_environment(options.api_key_env)
    if key:
        options.api_key = [*(options.api_key or ()), key]
    server = EmulatorServer(
        Settings(
            host=options.host,
            port=options.port,
            api_keys=options.api_key or (DEFAULT_KEY,),
            renderer=choice.make,
            speed=0.0 if options.manual_clock else options.speed,
            slots=options.slots or choice.slots,
            data=options.data,
            mishaps=options.mishaps,
            webhook_url=options.webhook_url,
            webhook_secret=_from_environment(options.webhook_secret_env) or "",
            allowed_hosts=options.allow_host,
            control_token=_from_environment(options.control_token_env),
        )
    )
    asyncio.run(_run(server, options, choice.reason))
    return 0


def _from_environment(name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise ValueError(f"the environment variable {name} is not set")
    return value


async def _run(server: EmulatorServer, options: argparse.Namespace, renderer: str) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with server.running():
        speed = server.settings.speed
        addresses = {
            "base_url": server.base_url,
            "storage_url": server.storage_url,
            "control_url": server.control_url,
            "openapi_url": server.openapi_url,
        }
        banner = _BANNER.format(
            key="the one you gave" if options.api_key else DEFAULT_KEY,
            renderer=renderer,
            clock=f"{speed:g} emulated seconds a second" if speed else "moved by hand",
            **addresses,
        )
        if options.port and f":{options.port}/" not in server.base_url:
            banner += f"Port {options.port} was taken.\n"
        sys.stdout.write(banner)
        sys.stdout.flush()
        if options.ready_file:
            _write_whole(options.ready_file, {**addresses, "renderer": renderer, "pid": os.getpid()})
        await stop.wait()


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600)  # it holds the token of the controls
    partial.write_text(json.dumps(content) + "\n")
    partial.replace(path)


def _scene(options: argparse.Namespace) -> int:
    values: dict[str, Any] = {}
    for text in options.values:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not FIELD=JSON")
        values[name] = _json_or_text(value)
    write_scene(options.path, size=options.size, **values)
    return 0


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
