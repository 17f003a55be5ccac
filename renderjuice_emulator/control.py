"""The emulator's controls for other processes, on the API's port.

They are below `/_emulator/<token>`: see `renderjuice_emulator.guard`. No response holds a signed
URL or a key.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from fastapi import APIRouter, Body
from pydantic import Field, ValidationError
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from renderjuice_emulator.answers import iso
from renderjuice_emulator.clock import LONGEST_JUMP
from renderjuice_emulator.farm import RefusalError
from renderjuice_emulator.guard import CONTROLS
from renderjuice_emulator.parts import EmulatorParts, Parts
from renderjuice_emulator.switches import Switches

router = APIRouter(prefix=CONTROLS, include_in_schema=False)


class FaultsToAdd(TypedDict):
    """Faults in order for one operation.

    With a file name, only for requests that concern an upload of that name.
    """

    operation: str
    faults: list[str]
    file_name: NotRequired[str]


class Advance(TypedDict):
    """By how much to move the clock."""

    seconds: Annotated[float, Field(ge=0, le=LONGEST_JUMP)]


class WebhookAddress(TypedDict):
    """Where events go; null for nowhere."""

    url: str | None
    secret: NotRequired[str]


@router.get("/health")
async def health(parts: Parts) -> dict[str, Any]:
    """That the emulator runs, with what, and what time it has."""
    return {"status": "ok", "renderer": parts.farm.renderer.name, **_time(parts)}


@router.get("/ledger")
async def ledger(parts: Parts) -> dict[str, Any]:
    """Every request, and what each job would have cost."""
    return parts.ledger.to_json()


@router.get("/jobs")
async def jobs(parts: Parts) -> list[dict[str, Any]]:
    """All jobs of all workspaces in short."""
    return [
        {
            "id": job.id,
            "status": job.status,
            "shownStatus": job.shown_status,
            "fileName": job.upload.file_name,
            "framesTotal": job.frames_total,
            "outputs": len(job.outputs),
            "failedReason": job.failed_reason,
        }
        for job in parts.farm.jobs.values()
    ]


@router.get("/faults")
async def faults_left(parts: Parts) -> dict[str, list[str]]:
    """The faults that were not met yet, by operation."""
    return parts.faults.left()


@router.post("/faults")
async def add_faults(parts: Parts, body: Annotated[FaultsToAdd, Body()]) -> dict[str, list[str]]:
    """Queue faults for an operation; answers what is queued now."""
    try:
        parts.faults.add(body["operation"], *body["faults"], file_name=body.get("file_name"))
    except ValueError as error:
        raise RefusalError(400, str(error)) from None
    return parts.faults.left()


@router.get("/clock")
async def clock(parts: Parts) -> dict[str, Any]:
    """The emulated time."""
    return _time(parts)


@router.post("/clock/advance")
async def advance(parts: Parts, body: Annotated[Advance, Body()]) -> dict[str, Any]:
    """Move the clock on; answers once everything that became due has happened."""
    await parts.clock.pass_time(body["seconds"])
    return _time(parts)


@router.get("/switches")
async def switches(parts: Parts) -> Switches:
    """All switches, as they are."""
    return parts.switches


@router.patch("/switches")
async def flip_switches(parts: Parts, body: Annotated[dict[str, Any], Body()]) -> Switches:
    """Set some switches; all of them, or none when one is refused."""
    try:
        checked = Switches.model_validate(parts.switches.model_dump() | body)
    except ValidationError as error:
        raise RefusalError(400, str(error)) from None
    for name, value in checked:
        setattr(parts.switches, name, value)
    return parts.switches


@router.put("/webhook")
async def set_webhook(parts: Parts, body: Annotated[WebhookAddress, Body()]) -> dict[str, Any]:
    """Set where events go, and the secret that signs them: Renderjuice's dashboard does this."""
    try:
        parts.webhooks.url = body["url"]
    except ValueError as error:
        raise RefusalError(400, str(error)) from None
    parts.webhooks.secret = body.get("secret", parts.webhooks.secret)
    return {"url": parts.webhooks.url}


@router.post("/reset")
async def reset(parts: Parts) -> dict[str, Any]:
    """Stop all jobs, and forget jobs, uploads, ledger, faults and switches. Time goes on."""
    await parts.reset()
    return _time(parts)


def _time(parts: EmulatorParts) -> dict[str, Any]:
    return {"emulatedTime": iso(parts.clock.now()), "speed": parts.clock.speed}
