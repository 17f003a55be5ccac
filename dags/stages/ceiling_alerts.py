"""Messages when a night has spent 50, 75 and 90 % of its ceiling: each once, whatever dies.

Each lies as a file beside the log of shares, created exclusively by the process that sends it:

    <destination>/nights/<night>/shares/alert-50
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from renderjuice_provider.api.redact import redact
from stages.defaults import CONNECTION
from stages.shares import Shares
from stages.storage import create

PERCENT = (50, 75, 90)
_log = logging.getLogger(__name__)


def alert(folder: str, night: Shares, context: Any) -> list[str]:
    """Send what is to be sent, and return it. It is never worth a failed task.

    Args:
        folder: of the log of shares.
        night: the shares as they are now.
        context: of the task that has just settled.
    """
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
            _send(message, NOTIFY, context)
    return sent


def _text(percent: int, folder: str, night: Shares) -> str:
    date = folder.rstrip("/").rpartition("/")[0].rpartition("/")[2]
    waiting = sum(shot.state == "waiting" for shot in night.shots.values())
    more = f"; {waiting} shots wait for a share" if waiting else ""
    return (
        f"The night of {date} has spent {percent} % of its ceiling: {night.spent:,.0f} of {night.ceiling:,.0f} s, "
        f"{night.handed_out:,.0f} s are handed out{more}"
    )


def _send(message: str, connection: str, context: Any) -> None:
    from renderjuice_provider.notifications.renderjuice import RenderjuiceNotifier

    try:
        RenderjuiceNotifier(http_conn_id=connection, message=message)(context)
    except Exception as error:  # noqa: BLE001 - the shot is delivered, whatever the chat says
        _log.warning("The alert of %s could not be sent: %s", CONNECTION, redact(str(error), longest=200))
