"""`make blender-extension`: the Blender extension, as one zip for each system.

Blender installs an extension's wheels for it. So beside our client's, the zip holds the wheels that
the client needs: Blender brings neither pydantic nor httpx. Which kinds of systems and which
Pythons there are is Blender's choice: Python 3.11 up to Blender 5.0, then 3.13.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import renderjuice_provider

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "blender_extension"
PLATFORMS = {
    "linux-x64": "manylinux2014_x86_64",
    "macos-arm64": "macosx_11_0_arm64",
    "windows-x64": "win_amd64",
}
"""Blender's names of systems, and what wheels call them."""
PYTHONS = ("3.11", "3.13")
NEEDED = ("httpx", "pydantic", "urllib3")
"""What the client imports, without what only its command line needs."""
_BUILDER = "lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.blender_extension", description=__doc__)
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, default=list(PLATFORMS))
    parser.add_argument("--pythons", nargs="+", choices=PYTHONS, default=list(PYTHONS))
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    for made in build(options.output, options.platforms, options.pythons):
        print(f"{made}  {made.stat().st_size / 1e6:.1f} MB")


def build(output: Path, platforms: Iterable[str], pythons: Iterable[str]) -> list[Path]:
    """The zips for `platforms`, in `output`, each accepted by Blender's own check."""
    with TemporaryDirectory(prefix="renderjuice-") as made:
        folder = Path(made, "extension")
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        _fill(folder, platforms, pythons)
        output.mkdir(parents=True, exist_ok=True)
        _blender("build", "--split-platforms", "--source-dir", str(folder), "--output-dir", str(output))
    version = renderjuice_provider.__version__
    zips = [output / f"renderjuice-{version}-{platform.replace('-', '_')}.zip" for platform in platforms]
    for path in zips:
        _blender("validate", str(path))
    return zips


def _fill(folder: Path, platforms: Iterable[str], pythons: Iterable[str]) -> None:
    """Add the wheels to a copy of the extension, and name them in its manifest."""
    shutil.copy(ROOT / "LICENSE", folder)
    wheels = folder / "wheels"
    _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT / "client"))
    for platform in platforms:
        for python in pythons:
            _download(wheels, PLATFORMS[platform], python)
    manifest = folder / "blender_manifest.toml"
    manifest.write_text(completed(manifest.read_text(), platforms, sorted(path.name for path in wheels.iterdir())))


def completed(manifest: str, platforms: Iterable[str], wheels: Iterable[str]) -> str:
    """The manifest with the project's version, and with what was built for it."""
    lines = [
        f'version = "{renderjuice_provider.__version__}"' if line.startswith("version =") else line
        for line in manifest.splitlines()
    ]
    listed = [f"platforms = [{', '.join(map(_text, platforms))}]", "wheels = ["]
    listed += [f"    {_text(f'./wheels/{name}')}," for name in wheels] + ["]", ""]
    table = lines.index("[permissions]")
    return "\n".join([*lines[:table], *listed, *lines[table:], ""])


def _text(value: str) -> str:
    return f'"{value}"'


def _download(wheels: Path, platform: str, python: str) -> None:
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--platform", platform]
    abi = f"cp{python.replace('.', '')}"
    _pip(
        "download",
        "--quiet",
        "--dest",
        str(wheels),
        *options,
        "--abi",
        abi,
        "-c",
        str(ROOT / "constraints.txt"),
        *NEEDED,
    )


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=True)


def _blender(*arguments: str) -> None:
    """Blender's command `extension`: of the module in `.venv-blender`, else of an installed one."""
    builder = next(iter(sorted(ROOT.glob(f".venv-blender*/{_BUILDER}"), reverse=True)), None)
    command = [sys.executable, str(builder)] if builder else [shutil.which("blender") or "", "--command", "extension"]
    if not command[0]:
        sys.exit("Blender's own packager is needed: `make blender`, or an installed Blender 4.2 or later")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Blender refused the extension:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
