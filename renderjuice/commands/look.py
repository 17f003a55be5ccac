"""`renderjuice inspect` and `renderjuice estimate`: what is known before anything is spent."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from renderjuice.estimates import Estimate, estimate, frames_of
from renderjuice.exits import BudgetError, Exit, gravest, of_error
from renderjuice.jobs import fields, name_of
from renderjuice.options import CONFIG, FRAMES, PERCENTAGE, PRESET, RESOLUTION, SAMPLES, SET
from renderjuice.output import size
from renderjuice.scenes import Scene, Settings, find_scenes
from renderjuice.session import Session
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.scene_file import SceneFile, content_fingerprint

_LATEST = 200
"""Jobs of the account among which such of the same scene are looked for."""
THINGS = Annotated[
    list[str], typer.Argument(metavar="SCENE|JOB...", help="Scenes, folders of them, ids of jobs, or - for a list.")
]


def inspect(session: Session, things: THINGS) -> Exit:
    """Check scenes on this machine, without a key; or show what validation says of a job."""
    codes = []
    for thing in find_scenes(things, session.lines_of_stdin(things)):
        try:
            found = _of_scene(thing.path) if thing.path else _of_job(session, str(thing.job_id))
        except RenderjuiceError as error:
            session.output.say(f"{thing.name}: {error.what}")
            found = {"name": thing.name, "ok": False, "error": error.what}
            codes.append(of_error(error))
            if not session.output.json_lines:
                continue
        session.output.data(found, *(f"{name}: {_text(value)}" for name, value in found.items() if value is not None))
    return gravest(codes)


def _of_scene(path: Path) -> dict[str, Any]:
    scene = SceneFile.check(path, one_scene=True)
    found: dict[str, Any] = {"name": scene.name, "ok": True, "size": scene.size, "type": scene.type}
    if scene.type == "zip":
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
        found |= {"files": len(members), "unpacked": sum(each.file_size for each in members)}
    else:
        found["blender"] = _version(path)
    return found | {"sha256": content_fingerprint(path)}


def _version(path: Path) -> str | None:
    """The Blender that saved it, unless it is compressed: `BLENDER-v405` or `BLENDER17-01v0500`."""
    with path.open("rb") as file:
        start = file.read(17)
    digits = start.rpartition(b"v")[2].decode("ascii", "replace")
    if not start.startswith(b"BLENDER") or not digits[:3].isdigit():
        return None
    number = int(digits[:4]) if digits[:4].isdigit() and start[7:8].isdigit() else int(digits[:3])
    return f"{number // 100}.{number % 100}"


def _of_job(session: Session, job_id: str) -> dict[str, Any]:
    job = session.client.get_job(job_id)
    name = name_of(job_id, session.book, job)
    return {
        **fields(job, name),
        "scene_file": job.scene_file,
        "analysis": job.analysis,
        "requested_config": job.requested_config,
        "final_config": job.final_config,
    }


def estimate_(
    session: Session,
    things: THINGS,
    *,
    preset: PRESET = "default",
    frames: FRAMES = None,
    samples: SAMPLES = None,
    resolution: RESOLUTION = None,
    percentage: PERCENTAGE = None,
    config: CONFIG = None,
    set_: SET = None,
    like: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="A completed job to go by; again for more.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.0, help="What a normalized hour costs.")] = None,
    currency: Annotated[str, typer.Option(help="Of the rate, such as EUR.")] = "",
) -> Exit:
    """Estimate what renders would cost, by completed jobs of the same scene or by --like.

    Renderjuice publishes no prices: it is a guess, with a range. It spends and uploads nothing.
    """
    settings = Settings(preset, frames, samples, resolution, percentage, config, set_ or ())
    found = find_scenes(things, session.lines_of_stdin(things))
    configs = [settings.config_for(scene.config) for scene in found]
    each = estimates(session, found, configs, like or [])
    for scene, guess in zip(found, each, strict=True):
        _show(session, scene.name, guess, rate, currency)
    if len(each) > 1:
        _show(session, f"{len(each)} in all", sum(each[1:], each[0]), rate, currency)
    return Exit.OK


def _show(session: Session, name: str, guess: Estimate, rate: float | None, currency: str) -> None:
    found: dict[str, Any] = {
        "name": name,
        "frames": guess.frames,
        "normalized_seconds": {"likely": guess.likely, "least": guess.least, "most": guess.most},
        "by": list(guess.by),
    }
    words = f"{guess.likely:.0f} s ({guess.least:.0f} to {guess.most:.0f} s)"
    if rate is not None:
        amounts = {key: value * rate / 3600 for key, value in found["normalized_seconds"].items()}
        found["money"] = amounts | {"currency": currency}
        words += f"  {amounts['likely']:.2f} ({amounts['least']:.2f} to {amounts['most']:.2f}) {currency}".rstrip()
    session.output.data(found, name, f"{guess.frames} frames", words)


def estimates(
    session: Session, scenes: Sequence[Scene], configs: Sequence[Mapping[str, Any]], like: Sequence[str]
) -> list[Estimate]:
    """An estimate for each scene.

    Raises:
        RenderjuiceInputError: for a scene of which nothing is known that it could be estimated by.
    """
    models = [session.client.get_job(job_id) for job_id in like]
    others: list[Job] | None = None
    found = []
    for scene, config in zip(scenes, configs, strict=True):
        job = session.client.get_job(scene.job_id) if scene.job_id else None
        analysis = job.analysis if job else None
        if not like:
            others = _latest(session) if others is None else others
            models = [each for each in others if _is_of(each, scene, job)]
            analysis = analysis or next((each.analysis for each in models if each.analysis), None)
        frames = frames_of(config, analysis)
        guess = estimate(config, frames, models, analysis) if frames else None
        if guess is None:
            raise RenderjuiceInputError(
                f"{scene.name}: nothing is known that it could be estimated by"
                f"{'' if frames else ', nor how many frames it has'}",
                next_step="name the frames with --frames and a completed job like it with --like; or render a few "
                "frames of it first",
            )
        found.append(guess)
    return found


def _latest(session: Session) -> list[Job]:
    """Completed jobs of the account."""
    return list(islice(session.client.list_jobs(str(JobStatus.COMPLETED)), _LATEST))


def _is_of(job: Job, scene: Scene, itself: Job | None) -> bool:
    mine = itself.scene_file if itself is not None else {"name": scene.path.name if scene.path else None}
    names = [each.get("name") if isinstance(each, Mapping) else None for each in (job.scene_file, mine)]
    return names[0] is not None and names[0] == names[1]


def check_budget(
    session: Session,
    scenes: Sequence[Scene],
    configs: Sequence[Mapping[str, Any]],
    like: Sequence[str],
    most: float,
) -> None:
    """Refuse what would cost more than `most` normalized seconds, before anything is sent.

    Raises:
        BudgetError: when it would, or when nobody knows what it would cost.
    """
    try:
        each = estimates(session, scenes, configs, like)
    except RenderjuiceInputError as unknown:
        raise BudgetError(f"The ceiling cannot be kept. {unknown.what}", next_step=unknown.next_step) from None
    total = sum(each[1:], each[0])
    if total.most > most:
        raise BudgetError(
            f"It may cost {total.most:.0f} normalized seconds ({total.likely:.0f} are likely), and {most:.0f} are allowed",
            next_step="order fewer frames, samples or scenes, or allow more",
        )


def _text(value: Any) -> str:
    return redact(str(value)) if not isinstance(value, int) or value < 2048 else f"{value} ({size(value)})"
