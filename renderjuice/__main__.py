"""`python -m renderjuice`."""

import sys

from renderjuice.cli import main

sys.exit(main())
