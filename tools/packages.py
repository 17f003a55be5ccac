"""Programs of the distribution that a tool needs.

`python -m tools.packages PACKAGE=PROGRAM ...`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping


def ensure(packages: Mapping[str, str], path: str) -> None:
    """Install what is missing, where that is possible without asking.

    On Debian and its relatives, as root.

    Args:
        packages: by name, a program of each, to see whether it is there.
        path: where programs are looked for, besides absolute ones.
    """
    missing = [name for name, program in packages.items() if not shutil.which(program, path=path)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit(f"Please install {' and '.join(missing)} with your system's package manager.")
    print(f"Installing {' and '.join(missing)} from the distribution", flush=True)
    # Their packages would also start a service of the system, which is not what we want; this run
    # level keeps them from it.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"apt-get {command[0]} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    ensure({name: program for name, _, program in (word.partition("=") for word in sys.argv[1:])}, os.defpath)
