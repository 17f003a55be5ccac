"""`python -m renderjuice_emulator`."""

import sys

from renderjuice_emulator.cli import main

sys.exit(main())
