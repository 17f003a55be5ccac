"""Upload a scene.

It is never held in memory. A presigned URL expires, and a new one is asked for; it never reaches a
message.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import Any

from renderjuice_provider.api import errors
from renderjuice_provider.api._fetching import EXPIRED, STORE
from renderjuice_provider.api._flow import Flow, Pause, PutFile, Response, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._redirects import OF_A_PUT, Way
from renderjuice_provider.api.models import UploadTarget
from renderjuice_provider.api.retry import Repeat
from renderjuice_provider.api.scene_file import SceneFile

_RENEWALS = 3
"""Fresh URLs to ask for. When these are refused too, something other than their age is wrong."""


def upload(
    operations: Operations, path: str | os.PathLike[str] | Any, *, one_scene: bool = False
) -> Flow[UploadTarget]:
    """Check the scene, ask for a target, and PUT the bytes.

    Returns:
        The target. Its slug then stands for the scene.

    Raises:
        RenderjuiceInputError: for a scene that cannot be rendered, before anything is sent.
        RenderjuiceTransferError: when the bytes did not arrive, or the file changed under the
            upload.
    """
    scene = yield from RunInThread(partial(SceneFile.check, path, one_scene=one_scene))
    for _ in range(_RENEWALS):
        target = yield from operations.create_upload(scene.name, scene.type)
        if (yield from _put(operations, scene, target)):
            yield from RunInThread(scene.check_unchanged)
            return target
    raise errors.RenderjuiceTransferError(
        f"{scene.name} could not be stored: {_RENEWALS} upload URLs in a row were refused or expired before the upload ended.",
        bill=errors.Bill.NOTHING_SPENT,
    )


def _put(operations: Operations, scene: SceneFile, target: UploadTarget) -> Flow[bool]:
    """True once the scene is stored; False when the URL can no longer be used."""
    way = Way(target.upload_url, OF_A_PUT)
    attempt = 0
    while True:
        outcome = yield from PutFile(way.url, scene)
        if way.leads_on(outcome):
            continue
        attempt += 1
        failure = operations.read.failure(outcome, STORE)
        if failure is None:
            return True
        if isinstance(outcome, Response) and outcome.status in EXPIRED:
            return False
        pause = operations.policy.pause(failure, attempt, Repeat.SAFELY)
        if pause is None:
            raise errors.RenderjuiceTransferError(
                f"{scene.name} could not be stored. {failure.what}", bill=errors.Bill.NOTHING_SPENT
            )
        yield from Pause(pause)
        # Checked only before a retry: a target that was just given is good, whatever our clock
        # says.
        if _has_expired(target, operations.now()):
            return False


def _has_expired(target: UploadTarget, now: datetime) -> bool:
    expires = target.expires_at
    if expires is None:
        return False
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= now
