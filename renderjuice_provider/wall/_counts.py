"""Frames, seconds and money of a row and of a night, and how long they will go on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

from renderjuice_provider.api.models import RENDER_STARTED
from renderjuice_provider.frames import ordered_frames
from renderjuice_provider.wall._stages import is_over
from renderjuice_provider.wall.facts import JobFacts, Look, Rate, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Allowed, Expected, Frames, Money, Remaining, Row, RowState, Total
from renderjuice_provider.wall.roles import RENDERS

_ROUGH = (0.5, 2.0)
"""Least and most, as a part of what is likely, where no times between frames were seen."""
_SHORT = frozenset({RowState.FINISHING, RowState.COMPOSITING, RowState.DELIVERING})
"""What is left of these takes little against the renders."""
_ENOUGH = 4
"""Times between frames from which their quartiles mean something."""
_FOR_EVER = 10 * 365 * 86_400.0
"""Seconds: a night that would end later has no end that anybody could name."""


def frames_of_task(task: TaskFacts, job: JobFacts | None) -> Frames | None:
    """The frames of one render task, over all its rounds; None where nobody has counted them."""
    result = task.results if task.state == "success" else {}
    total = result.get("frames_requested")
    if not isinstance(total, int):
        ordered = ordered_frames(task.config)
        total = len(ordered) if ordered else job.frames_total if job else None
    if not total:
        return None
    if result:
        missing = result.get("frames_missing")
        return Frames(total=total, done=max(0, total - (len(missing) if isinstance(missing, list) else 0)))
    if job is None or job.frames_done is None:
        return Frames(total=total, done=0)
    # A later round orders only what the rounds before it have not brought.
    before = max(0, total - (job.frames_total or total))
    return Frames(total=total, done=min(total, before + job.frames_done), failed=job.frames_failed)


def together(found: Iterable[Frames | None]) -> Frames | None:
    """The sum."""
    known = [frames for frames in found if frames is not None]
    if not known:
        return None
    return Frames(
        total=sum(frames.total for frames in known),
        done=sum(frames.done for frames in known),
        failed=sum(frames.failed for frames in known),
    )


def seconds_of(row: RowFacts, jobs: Mapping[str, JobFacts]) -> dict[str, float | None]:
    """What each job of a row is billed, by Renderjuice's newest word; None where not known."""
    found: dict[str, float | None] = {}
    for task in row.tasks:
        if task.role not in RENDERS:
            continue
        known = dict(task.jobs)
        if task.job_id:
            known.setdefault(task.job_id, _number(task.results.get("normalized_seconds")))
        for job_id, seconds in known.items():
            job = jobs.get(job_id)
            now = job.normalized_seconds if job else None
            found[job_id] = found.get(job_id) if now is None and seconds is None else seconds if now is None else now
    return found


def unknown_costs(row: RowFacts, jobs: Mapping[str, JobFacts]) -> int:
    """How many jobs of a row cost what nobody knows. One that never rendered costs nothing."""
    return sum(
        seconds is None and (job_id not in jobs or jobs[job_id].status in RENDER_STARTED)
        for job_id, seconds in seconds_of(row, jobs).items()
    )


def sum_of(seconds: Mapping[str, float | None]) -> float | None:
    """What is known of it; None where nothing is."""
    known = [each for each in seconds.values() if each is not None]
    return round(sum(known), 3) if known else None


def money_of(seconds: Mapping[str, float | None], row: RowFacts, look: Look) -> Money | None:
    """By the rates of the jobs' connections; None without one, or in several currencies."""
    conn_ids = row.jobs
    spent = [
        look.rates[conn_ids[job]].money(each)
        for job, each in seconds.items()
        if each is not None and conn_ids.get(job) in look.rates
    ]
    return _sum_of_money(spent)


def quote_of(row: RowFacts, look: Look) -> dict[str, Allowed | None]:
    """The `quote` and the `share` of a row; empty where it was not quoted."""
    quote, rate = _quote(row), _rate(look)
    return {"quote": _allowed(quote.get("likely"), rate), "share": _allowed(quote.get("share"), rate)} if quote else {}


def quotes_of(rows: Iterable[RowFacts], look: Look) -> dict[str, Allowed | None]:
    """The `quote` of all rows together, and the night's `ceiling`; empty where none was quoted.

    Of several nights at once there is no ceiling.
    """
    quotes, rate = [quote for row in rows if (quote := _quote(row))], _rate(look)
    ceilings = {quote["ceiling"] for quote in quotes if "ceiling" in quote}
    return (
        {
            "quote": _allowed(sum(quote.get("likely", 0.0) for quote in quotes), rate),
            "ceiling": _allowed(ceilings.pop() if len(ceilings) == 1 else None, rate),
        }
        if quotes
        else {}
    )


def _quote(row: RowFacts) -> Mapping[str, float]:
    return next((task.quote for task in row.tasks if task.quote), {})


def _rate(look: Look) -> Rate | None:
    """Of all connections; None without one, or with several."""
    rates = {(rate.per_hour, rate.currency): rate for rate in look.rates.values()}
    return rates.popitem()[1] if len(rates) == 1 else None


def _allowed(seconds: float | None, rate: Rate | None) -> Allowed | None:
    if seconds is None:
        return None
    return Allowed(normalized_seconds=round(seconds, 3), money=rate.money(seconds) if rate else None)


def remaining_of_job(job: JobFacts, left: int, begun: datetime | None, now: datetime) -> Remaining | None:
    """Seconds until a job has rendered `left` more frames, from the time between its frames.

    Args:
        job: that renders.
        left: how many frames are to come.
        begun: when its task began; counts where no time between frames was seen.
        now: the time.
    """
    if left <= 0 or not job.frames_done:
        return None
    times = [each for each in job.frame_times if each > 0]
    usual = median(times) if times else _since(begun, now, job.queue_seconds) / job.frames_done
    if not usual:
        return None
    if len(times) >= _ENOUGH:
        quick, _, slow = quantiles(times, n=4)
    else:
        quick, slow = usual * _ROUGH[0], usual * _ROUGH[1]
    # Of what the next frame takes, some has passed.
    passed = max(0.0, (now - job.last_sign).total_seconds()) if job.last_sign and times else 0.0
    likely, least, most = (max(0.0, each * left - min(passed, each)) for each in (usual, max(0.0, quick), slow))
    return Remaining(likely=round(likely, 1), least=round(min(least, likely), 1), most=round(max(most, likely), 1))


def _since(begun: datetime | None, now: datetime, queued: float | None) -> float:
    return max(0.0, (now - begun).total_seconds() - (queued or 0.0)) if begun else 0.0


def longest(found: Iterable[Remaining | None]) -> Remaining | None:
    """Of jobs that render side by side."""
    known = [each for each in found if each is not None]
    if not known:
        return None
    return Remaining(
        likely=max(each.likely for each in known),
        least=max(each.least for each in known),
        most=max(each.most for each in known),
    )


def total_of(rows: Sequence[Row], unknown: int, now: datetime) -> Total:
    """The whole night.

    Args:
        rows: all of it.
        unknown: how many jobs there are of which nobody knows what they cost.
        now: for the expected end.
    """
    frames = together(row.frames for row in rows)
    spent = [row.money for row in rows if row.money]
    return Total(
        rows=len(rows),
        by_state=dict(
            sorted(Counter(row.state for row in rows).items(), key=lambda item: list(RowState).index(item[0]))
        ),
        frames_done=frames.done if frames else 0,
        frames_total=frames.total if frames else 0,
        normalized_seconds=round(sum(row.normalized_seconds or 0.0 for row in rows), 3),
        jobs_of_unknown_cost=unknown,
        money=_sum_of_money(spent),
        expected_end=_expected_end(rows, now),
    )


def _expected_end(rows: Sequence[Row], now: datetime) -> Expected | None:
    """When the last row is over; None where nobody knows of one how long it takes.

    A row that does not render yet takes as long as others of this night did, or will.
    """
    guesses = [row.remaining for row in rows if row.remaining]
    usual = [row.elapsed for row in rows if row.elapsed and row.state in {RowState.DELIVERED, RowState.RENDERED}]
    usual += [(row.elapsed or 0.0) + row.remaining.likely for row in rows if row.remaining]
    for row in rows:
        if is_over(row.state) or row.remaining or row.state in _SHORT:
            continue
        left = median(usual) - (row.elapsed or 0.0) if usual else 0.0
        if left <= 0:
            return None
        guesses.append(Remaining(likely=left, least=0.0, most=max(left, *usual)))
    found = longest(guesses)
    if found is None:
        return None
    if not found.most < _FOR_EVER:
        return None
    likely, earliest, latest = (now + timedelta(seconds=each) for each in (found.likely, found.least, found.most))
    return Expected(likely=likely, earliest=earliest, latest=latest)


def _sum_of_money(spent: Sequence[Money]) -> Money | None:
    currencies = {each.currency for each in spent}
    if len(currencies) != 1:
        return None
    return Money(amount=round(sum(each.amount for each in spent), 4), currency=currencies.pop())


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None
