"""Which jobs are meant, how they are read, and what is shown of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from renderjuice.exits import Exit, gravest, of_error, of_job
from renderjuice.order_book import OrderBook
from renderjuice.scenes import STDIN
from renderjuice.walks import Seen
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import Bill, RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.models import RENDER_STARTED, Job
from renderjuice_provider.api.redact import redact

_FEW = 8
"""Jobs up to which each is read by itself; for more, the list of all jobs costs fewer requests."""


def find_jobs(arguments: Iterable[str], stdin: Iterable[str], book: OrderBook) -> list[str]:
    """The ids of the jobs that are named, each once.

    Args:
        arguments: ids of jobs; paths of scenes, or of folders of scenes, that were submitted from
            this machine; `-` for what is piped in.
        stdin: a job a line: its id is the first word, or `job_id` or `id` of a JSON object.
        book: of the orders of this machine.

    Raises:
        RenderjuiceInputError: for what is neither.
    """
    found: dict[str, None] = {}
    for argument in arguments:
        names = [_first_word(line) for line in stdin] if argument == STDIN else [argument]
        found |= dict.fromkeys(job_id for name in names for job_id in _of_name(name, book))
    if not found:
        raise RenderjuiceInputError("No job was named.")
    return list(found)


def _first_word(line: str) -> str:
    if not line.startswith("{"):
        return line.split(maxsplit=1)[0]
    try:
        fields = json.loads(line)
    except ValueError:
        raise RenderjuiceInputError(f"This line is no JSON: {redact(line)!r}.") from None
    return str(fields.get("job_id") or fields.get("id"))


def _of_name(name: str, book: OrderBook) -> Iterator[str]:
    if not Path(name).exists():
        yield check_job_id(name)
        return
    booked = book.of_path(Path(name))
    if not booked:
        raise RenderjuiceInputError(
            f"Nothing was submitted of {redact(name)} from this machine. `renderjuice list` has all."
        )
    yield from (str(each.job_id) for each in booked)


def name_of(job_id: str, book: OrderBook, job: Job | None = None) -> str:
    """What people call a job: its scene, or its id."""
    booked = book.of_job(job_id)
    if booked is not None:
        return booked.name
    scene = job.scene_file.get("name") if job is not None and isinstance(job.scene_file, dict) else None
    stem = Path(redact(str(scene)).replace("\\", "/")).stem if scene else ""
    return stem or job_id


def read_jobs(client: RenderjuiceClient, job_ids: Sequence[str]) -> dict[str, Job | RenderjuiceError]:
    """Each job as it is now, or why it could not be read."""
    found: dict[str, Job | RenderjuiceError] = {}
    if len(job_ids) > _FEW:
        wanted = set(job_ids)
        for job in client.list_jobs():
            if job.id in wanted:
                found[job.id] = job
            if len(found) == len(wanted):
                break
    for job_id in job_ids:
        if job_id not in found:
            try:
                found[job_id] = client.get_job(job_id)
            except RenderjuiceError as error:
                found[job_id] = error
    return {job_id: found[job_id] for job_id in job_ids}


def fields(job: Job, name: str) -> dict[str, Any]:
    """What is shown of a job as JSON."""
    return {
        "job_id": job.id,
        "status": job.status,
        "name": name,
        "created_at": job.created_at.isoformat() if job.created_at else None,
        "updated_at": job.updated_at.isoformat() if job.updated_at else None,
        "normalized_seconds": job.normalized_seconds,
        "reason": job.reason if job.failed_reason else None,
    }


def end_of(seen: Seen) -> Exit:
    """The exit code for a walk, as far as it has come."""
    if seen.error is not None and seen.timed_out:
        return Exit.TIMEOUT
    if seen.error is not None:
        return gravest([of_error(seen.error), of_error(seen.trouble)] if seen.trouble else [of_error(seen.error)])
    return of_job(seen.job) if seen.job else Exit.OK


def goes_on(seen: Iterable[Seen]) -> list[str]:
    """Lines that say what goes on at Renderjuice now that nobody here waits for it."""
    open_ones = [each for each in seen if not each.is_over]
    jobs = [each.job for each in open_ones if each.job is not None]
    rendering = [job for job in jobs if job.status in RENDER_STARTED and not job.is_over]
    unsure = [each.job for each in open_ones if each.is_ordering and each.job is not None]
    idle = len(open_ones) - len(rendering) - len(unsure)
    lines = ["Interrupted."]
    if rendering:
        lines.append(f"These go on at Renderjuice, and cost money ({len(rendering)} in all):")
        lines += [f"  {job.id}  {job.status}" for job in rendering]
        lines.append("To stop: renderjuice cancel JOB. To watch: renderjuice watch JOB.")
    if unsure:
        lines.append("Their render may have been started: see `renderjuice status JOB`.")
        lines += [f"  {job.id}" for job in unsure]
    if idle:
        lines.append(f"Not started, so nothing is spent on them: {idle} in all.")
    return lines


def text_of(error: BaseException) -> str:
    """An error for a line of a table: what went wrong, and where it matters the money."""
    if isinstance(error, RenderjuiceError) and error.bill is Bill.UNCHANGED:
        return error.what
    return str(error)
