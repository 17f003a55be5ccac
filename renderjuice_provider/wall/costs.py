"""What an action costs or saves, in one sentence, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderjuice_provider.wall.actions import Intent, runs
from renderjuice_provider.wall.facts import JobFacts, Look, Rate, TaskFacts
from renderjuice_provider.wall.models import Action

__all__ = [
    "money_sentence",
]


_NOTHING = "Nothing of it was rendered before."


def money_sentence(action: Action, intents: Sequence[Intent], look: Look) -> str:
    """What an action costs or saves, over all rows to which something will happen.

    Args:
        action: of the person.
        intents: for each row.
        look: what is known of the rows' jobs, and the rates.
    """
    wanted = [intent for intent in intents if not intent.refused]
    if not wanted:
        return "Nothing happens, so nothing is paid."
    match action:
        case Action.STOP:
            return _of_stop(wanted, look)
        case Action.MISSING:
            return _of_missing(wanted, look)
        case Action.TAKE_UP:
            return "Nothing is paid twice: a job that is completed costs nothing more, one that still renders goes on."
        case Action.AGAIN:
            before = _before(wanted, look)
            return f"All frames are paid{'' if before is _NOTHING else ' again'}. {before}"
        case Action.SETTINGS:
            return f"All frames are paid with the new settings, which may cost more or less. {_before(wanted, look)}"


def _of_stop(intents: Sequence[Intent], look: Look) -> str:
    jobs = [(task, look.jobs[task.job_id]) for task in _tasks(intents) if task.job_id and task.job_id in look.jobs]
    running = [(task, job) for task, job in jobs if runs(job)]
    if not running:
        unknown = any(task.job_id and task.job_id not in look.jobs for task in _tasks(intents))
        return (
            "What has been rendered by then is billed, the rest is not."
            if unknown
            else "Nothing of it renders now, so nothing more is billed, and nothing is saved."
        )
    billed = _amount([(task, job.normalized_seconds) for task, job in running], look)
    saved = _amount([(task, _rest(job)) for task, job in running], look)
    first = f"Until now {billed} are billed" if billed else "What has been rendered by then is billed"
    return f"{first}; about {saved} are saved." if saved else f"{first}, the rest is not."


def _of_missing(intents: Sequence[Intent], look: Look) -> str:
    jobs = [(task, look.jobs.get(task.job_id or "")) for intent in intents for task in _unpaid(intent)]
    left = [_frames_left(job) for _, job in jobs]
    if None in left or not left:
        return "Only the frames that are missing are rendered and paid; how many those are is not known yet."
    frames = sum(each or 0 for each in left)
    if not frames:
        return "By Renderjuice's counters no frame is missing: then nothing is rendered, and nothing is paid."
    cost = _amount([(task, _rest(job) if job else None) for task, job in jobs], look)
    about = f": about {cost}" if cost else ""
    return f"Only what is missing is rendered and paid, {frames} {'frame' if frames == 1 else 'frames'}{about}."


def _unpaid(intent: Intent) -> list[TaskFacts]:
    """The tasks whose frames are ordered again."""
    return [task for task in intent.tasks if task.job_id] or [task for task in intent.row.tasks if task.job_id]


def _before(intents: Sequence[Intent], look: Look) -> str:
    found: list[tuple[TaskFacts, float | None]] = []
    for intent in intents:
        for task in intent.row.tasks:
            jobs = dict(task.jobs) or ({task.job_id: None} if task.job_id else {})
            found += [(task, _billed(seconds, look.jobs.get(job))) for job, seconds in jobs.items()]
    if not any(seconds is None or seconds > 0 for _, seconds in found):
        return _NOTHING
    cost = _amount(found, look)
    return f"Before, it was {cost}." if cost else "What it was before is not known."


def _billed(seconds: float | None, job: JobFacts | None) -> float | None:
    return job.normalized_seconds if seconds is None and job else seconds


def _frames_left(job: JobFacts | None) -> int | None:
    if job is None or job.frames_total is None or job.frames_done is None:
        return None
    return max(0, job.frames_total - job.frames_done)


def _rest(job: JobFacts) -> float | None:
    """Normalized seconds that the frames of a job would cost that are not rendered."""
    left = _frames_left(job)
    if left is None or not job.frames_done or job.normalized_seconds is None:
        return None
    return job.normalized_seconds / job.frames_done * left


def _amount(parts: Sequence[tuple[TaskFacts, float | None]], look: Look) -> str:
    """`1,234 normalized seconds (1.20 EUR)`; empty when a part is not known."""
    if not parts or any(seconds is None for _, seconds in parts):
        return ""
    by_connection: dict[str, float] = {}
    for task, seconds in parts:
        by_connection[task.conn_id] = by_connection.get(task.conn_id, 0.0) + (seconds or 0.0)
    return f"{sum(by_connection.values()):,.0f} normalized seconds{_money(by_connection, look.rates)}"


def _money(seconds: Mapping[str, float], rates: Mapping[str, Rate]) -> str:
    found = [rates[name].money(amount) for name, amount in seconds.items() if name in rates]
    currencies = {money.currency for money in found}
    if len(found) < len(seconds) or len(currencies) != 1:
        return ""
    return f" ({sum(money.amount for money in found):,.2f} {currencies.pop()})"


def _tasks(intents: Sequence[Intent]) -> list[TaskFacts]:
    return [task for intent in intents for task in intent.tasks]
