"""`renderjuice submit` and `renderjuice validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from renderjuice.batch import AT_ONCE, POLL_INTERVAL
from renderjuice.commands.look import check_budget
from renderjuice.exits import Exit
from renderjuice.fetching import Fetching, safe_name
from renderjuice.options import (
    CONFIG,
    EVERY,
    FRAMES,
    PERCENTAGE,
    PRESET,
    RESOLUTION,
    SAMPLES,
    SCENES,
    SET,
    TIMEOUT,
    UPLOADS,
)
from renderjuice.performing import perform
from renderjuice.renders import Renders
from renderjuice.scenes import Settings, check_names, find_scenes
from renderjuice.screen import Screen
from renderjuice.session import Session
from renderjuice.walks import WAIT_LIMIT, Validates
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.lifecycle.record import Order


def submit(
    session: Session,
    scenes: SCENES,
    *,
    preset: PRESET = None,
    frames: FRAMES = None,
    samples: SAMPLES = None,
    resolution: RESOLUTION = None,
    percentage: PERCENTAGE = None,
    config: CONFIG = None,
    set_: SET = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all are rendered.")] = False,
    download: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Wait, and download: each scene into a folder below.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Render also what was rendered already, which costs again.")
    ] = False,
    max_normalized_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.01,
            help="Submit nothing that may cost more (see --like); where it waits, also cancel what does.",
        ),
    ] = None,
    like: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="A completed job to estimate the cost by; again for more.")
    ] = None,
    cancel_on_timeout: Annotated[bool, typer.Option("--cancel-on-timeout", help="Cancel what --timeout ends.")] = False,
    timeout: TIMEOUT = WAIT_LIMIT,
    every: EVERY = POLL_INTERVAL,
    at_once: UPLOADS = AT_ONCE,
) -> Exit:
    """Render scenes: upload, validate and start each.

    Also a validated job, by its id. Given again, it takes up what was submitted, and renders
    nothing twice. Prints a line for each scene: job, status, name.
    """
    settings = Settings(preset, frames, samples, resolution, percentage, config, set_ or ())
    found = find_scenes(scenes, session.lines_of_stdin(scenes))
    configs = [settings.config_for(scene.config) for scene in found]
    if download is not None:
        check_names(found)
    if max_normalized_seconds is not None:
        check_budget(session, found, configs, like or [], max_normalized_seconds)
    screen = Screen(session.output)
    walks = []
    waits = wait or download is not None
    most = max_normalized_seconds if waits else None
    for scene, scene_config in zip(found, configs, strict=True):
        order = Order(
            JobStatus.COMPLETED,
            timeout,
            job_id=scene.job_id,
            render_config=scene_config,
            scene=scene.path,
            source=str(scene.path.resolve()) if scene.path else None,
            wait=waits,
            most=most,
            cancel_on_timeout=cancel_on_timeout,
            name=scene.name,
        )
        fetching = None if download is None else Fetching(download, safe_name(scene.name))
        operations = session.client.operations
        walks.append(Renders(order, session.book, operations, again=again, fetching=fetching, say=screen.say))
    hint = "" if again else "The same command goes on with all of them."
    return perform(session, screen, walks, at_once=at_once, every=every, hint=hint, most=most)


def validate(
    session: Session, scenes: SCENES, *, timeout: TIMEOUT = 3600.0, every: EVERY = 5.0, at_once: UPLOADS = AT_ONCE
) -> Exit:
    """Upload scenes and have them validated, which is free.

    Prints a line for each: job, status, name, and what validation warns of.
    `renderjuice submit JOB` then renders it.
    """
    found = find_scenes(scenes, session.lines_of_stdin(scenes))
    operations = session.client.operations
    walks = [Validates(scene.path or Path(scene.name), scene.name, operations, timeout) for scene in found]
    return perform(session, Screen(session.output), walks, at_once=at_once, every=every)
