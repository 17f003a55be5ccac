"""How long a page of Airflow's web UI takes to show something, and to make it newer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 60.0
_GAP_MS = 1_000.0
"""Requests of one refresh follow each other; until the next refresh, nothing is asked for."""
_WATCHER = """
(selector) => {
  performance.setResourceTimingBufferSize(100000);
  const watch = () => {
    const found = document.querySelector(selector);
    if (found && found.getBoundingClientRect().width) {
      // The frame that holds it is painted when the next one begins.
      requestAnimationFrame(() => { window.firstUsefulPaint = performance.now(); });
    } else {
      requestAnimationFrame(watch);
    }
  };
  watch();
}
"""
_REQUESTS = """
(since) => performance.getEntriesByType("resource")
  .filter((one) => ["fetch", "xmlhttprequest"].includes(one.initiatorType) && one.startTime >= since)
  .map((one) => [one.startTime, one.responseEnd])
"""


@dataclass(frozen=True)
class Refresh:
    """What making a page newer takes, in seconds.

    Attributes:
        waiting: from the first of its requests to the end of the last response.
        computing: what the page's scripts, styles and layout take; a mean of several refreshes.
    """

    waiting: float
    computing: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.waiting + self.computing


def first_useful_paint(page: Page, path: str, selector: str) -> float:
    """Seconds from asking for a page to the paint of the first element that is of use.

    Args:
        page: a new one, of somebody who has logged in.
        path: of the page.
        selector: of the elements that people come for.
    """
    page.add_init_script(f"({_WATCHER})({selector!r})")
    page.goto(path, wait_until="commit")
    page.wait_for_function("() => window.firstUsefulPaint", timeout=PATIENCE * 1000)
    return float(page.evaluate("() => window.firstUsefulPaint")) / 1000


def refreshes(page: Page, count: int) -> list[Refresh]:
    """The next refreshes of an open page that refreshes itself."""
    page.wait_for_load_state("networkidle")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    since, busy = page.evaluate("() => performance.now()"), _busy(session)
    found: list[tuple[float, float]] = []
    for _ in range(int(PATIENCE)):
        page.wait_for_timeout(1000)
        found = groups(page.evaluate(_REQUESTS, since))
        if len(found) > count:  # the last one may still go on
            break
    else:
        raise TimeoutError(f"{page.url} refreshed itself {len(found)} times within {PATIENCE:.0f} s")
    computing = (_busy(session) - busy) / len(found)
    return [Refresh((end - start) / 1000, computing) for start, end in found[:count]]


def groups(requests: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Start and end of each refresh, from the starts and ends of requests, all in milliseconds."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(requests):
        if found and start - found[-1][1] < _GAP_MS:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _busy(session: Any) -> float:
    """Seconds for which the page's main thread has worked so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))
