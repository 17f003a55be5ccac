"""Messages when a night has spent 50, 75 and 90 % of its ceiling: each once, whatever dies.

Each lies as a file beside the log of shares, created exclusively by the process that sends it:

    <destination>/nights/<night>/shares/alert-50
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from stages.shares import Shares
from stages.storage import create

PERCENT = (50, 75, 90)
_log = logging.getLogger(__name__)


def alert(folder: str, night: Shares, context: Any) -> list[str]:
    """Send what is to be sent, and return it. A chat that does not answer fails nothing.

    Args:
        folder: of the log of shares.
        night: the shares as they are now.
        context: of the task that has just settled.
    """
    from renderjuice_provider.notifications.renderjuice import RenderjuiceNotifier
    from stages.alerts import NOTIFY

    sent = []
    for percent in PERCENT:
        if night.spent < night.ceiling * percent / 100:
            break
        with suppress(FileExistsError):
            create(folder, f"alert-{percent}", b"")
            sent.append(_text(percent, folder, night))
    for message in sent[-1:]:  # of several that come at once, the highest
        _log.warning("%s", message)
        if NOTIFY:
            RenderjuiceNotifier(http_conn_id=NOTIFY, message=message).notify(context)
    return sent


def _text(percent: int, folder: str, night: Shares) -> str:
    date = folder.rstrip("/").rpartition("/")[0].rpartition("/")[2]
    waiting = sum(shot.state == "waiting" for shot in night.shots.values())
    more = f"; {waiting} shots wait for a share" if waiting else ""
    return (
        f"The night of {date} has spent {percent} % of its ceiling: {night.spent:,.0f} of {night.ceiling:,.0f} s, "
        f"{night.handed_out:,.0f} s are handed out{more}"
    )
