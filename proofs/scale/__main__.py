"""Nights of many shots, as they were and as they are, and one bulk run, with time sped up.

Exits with 1 if a task failed or was taken for dead, a render was paid twice, a task of the grid has
no name, or the new nightly takes more than 0.6 of the old one's time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path
from tempfile import mkdtemp

from proofs.scale.before import OLD, old_dags
from proofs.scale.night import Outcome, perform, write_scenes

ROOT = Path(__file__).parents[2]
NIGHTLY, BULK = "renderjuice_nightly", "renderjuice_bulk"
SCENES_IN_BULK = 300
GOAL = 0.6
"""Of the old nightly's wall time."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.scale", description=__doc__)
    parser.add_argument("--shots", type=int, default=60, help="of a night (%(default)s)")
    parser.add_argument(
        "--only", choices=["old", "new", "nights", "bulk"], help="nights are old and new; all by default"
    )
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not on SQLite")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the new one's environment"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(mkdtemp(prefix="renderjuice-scale-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user and has to get through
    kind = "PostgreSQL" if options.postgres else "SQLite"
    print(f"On {os.cpu_count()} cores and {kind}, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    wrong: list[str] = []
    if options.only != "bulk":
        wrong += nights(folder, options)
    if options.only in (None, "bulk"):
        wrong += bulk(folder, options)
    print("\n".join(wrong) or "All is as it should be.")
    if wrong:
        sys.exit(f"Logs: {folder}")
    shutil.rmtree(folder)


def nights(folder: Path, options: argparse.Namespace) -> list[str]:
    """The old nightly, then the new one; what is wrong with them."""
    scenes = write_scenes(folder / "night", options.shots)
    dags = {"new": ROOT / "dags"}
    before = old_dags(folder / "before")
    if before is None:
        print(f"The old nightly is not here: this is no clone with the commit {OLD}. Only the new one is measured.")
    else:
        dags = {"old": before} | dags
    found: dict[str, Outcome] = {}
    for name in [name for name in dags if options.only in (None, "nights", name)]:
        settings = dict(word.split("=", 1) for word in options.set) if name == "new" else {}
        found[name] = perform(
            f"{name} nightly, {options.shots} shots",
            folder / name,
            scenes,
            dags[name],
            NIGHTLY,
            on_postgres=options.postgres,
            settings=settings,
        )
        found[name].show(options.shots)
        found[name].show_times()
    wrong = found["new"].problems(options.shots) if "new" in found else []
    if len(found) == 2:
        ratio, cpu = found["new"].wall / found["old"].wall, found["new"].cpu / found["old"].cpu
        print(f"wall time, new : old = {ratio:.2f} (at most {GOAL}); processors {cpu:.2f}", flush=True)
        wrong += [f"the new nightly takes {ratio:.2f} of the old one's time"] if ratio > GOAL else []
    return wrong


def bulk(folder: Path, options: argparse.Namespace) -> list[str]:
    """Hundreds of files in one run; what is wrong with it."""
    scenes = write_scenes(folder / "files", SCENES_IN_BULK)
    found = perform(
        f"bulk, {SCENES_IN_BULK} files",
        folder / "bulk",
        scenes,
        ROOT / "dags",
        BULK,
        conf={"scenes": str(scenes)},
        on_postgres=options.postgres,
    )
    found.show(SCENES_IN_BULK)
    return found.problems(SCENES_IN_BULK)


if __name__ == "__main__":
    main()
