"""The program `renderjuice-emulator`, also as `python -m renderjuice_emulator`."""

from __future__ import annotations

import sys

_OF_THE_EXTRA = frozenset({"fastapi", "psutil", "starlette", "uvicorn"})


def main() -> int:
    """Run the command; the exit code. Without what the extra brings, it says how to get it."""
    try:
        from renderjuice_emulator.cli import main as run
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _OF_THE_EXTRA:
            raise
        sys.stderr.write(
            f"renderjuice-emulator: {package} is not installed. The emulator is an extra: pip install "
            "'renderjuice[emulator]', or 'airflow-provider-renderjuice[emulator]' where that is installed.\n"
        )
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
