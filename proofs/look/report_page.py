"""`python -m proofs.look.report_page`: pictures of the morning report.

With 4 and with 200 shots, on a desk and on a phone, by day and by night, and as it is printed. They
are in `demo/report`: look at them.
"""

from __future__ import annotations

import shutil
import sys
from typing import Literal

from proofs.look.sample_night import NIGHT, sample_night
from tools.browser import browser
from tools.demo_services import DEMO

FOLDER = DEMO / "report"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCREENS = {"desk": (1280, 900), "phone": (390, 844)}


def main() -> None:
    """Make the reports, open them, and keep pictures."""
    sys.path.insert(0, str(DEMO.parent / "dags"))
    from stages.morning_report import write

    shutil.rmtree(FOLDER, ignore_errors=True)
    with browser() as chromium:
        for shots in (4, 200):
            report = write(str(sample_night(FOLDER / str(shots), shots)), NIGHT)
            for screen, (width, height) in SCREENS.items():
                for scheme in SCHEMES:
                    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                    page.goto(f"file://{report}")
                    page.screenshot(path=FOLDER / f"{shots}-{screen}-{scheme}.png", full_page=shots == 4)
                    too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                    print(f"{shots} shots, {screen}, {scheme}{': TOO WIDE' if too_wide else ''}", flush=True)
                    page.close()
            page = chromium.new_page()
            page.goto(f"file://{report}")
            page.pdf(path=FOLDER / f"{shots}-printed.pdf", format="A4")


if __name__ == "__main__":
    main()
