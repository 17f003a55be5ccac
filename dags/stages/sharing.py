"""What a run does with its shot's share of the night's ceiling: ask for it, hold it, settle it.

`stages.shares` decides, `stages.share_log` keeps it; here runs and jobs are looked at. All amounts
are normalized seconds. In a night without a log nothing of this does anything.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from stages import share_log, shares
from stages.decisions import frame_ranges, layers_of
from stages.defaults import CONNECTION, SHOT_DAG
from stages.entries import JOBS, jobs_on_record
from stages.orders import mark_of
from stages.quotes import probe_frames
from stages.share_log import change, read
from stages.shares import Shares, ShotShare
from stages.spending import job_outcomes
from stages.storage import create, join, names_in, put_json, read_json

NIGHTLY = "nightly.json"
"""Beside the log: the nightly's run that has planned the night last."""
RunState = Callable[[str, str], str | None]
"""The state of a run, by the ids of its DAG and its own; None where Airflow does not know it."""
_OVER = frozenset({None, "success", "failed"})
_CLAIMS = "claims"
_log = logging.getLogger(__name__)


def folder_of(order: Mapping[str, Any]) -> str:
    """Where the log of a shot's night is."""
    return join(str(order["entry"]).rpartition("/shots/")[0], "shares")


def begin(folder: str, ceiling: float, planned: Iterable[Mapping[str, Any]], nightly: Mapping[str, str]) -> Shares:
    """Begin a night, or go on with one that has begun: by another ceiling, and with more shots.

    Args:
        folder: of the log.
        ceiling: what the night may cost.
        planned: of `stages.planning`, in the order of the list.
        nightly: `dag_id` and `run_id` of the nightly's run.
    """
    runs = [(shot["order"]["shot"], shot["order"].get("priority", 50), shot["run_id"]) for shot in planned]
    put_json(folder, NIGHTLY, dict(nightly))
    share_log.begin(folder, shares.begin(ceiling, [(shot, priority) for shot, priority, _ in runs]))

    def all_joined(found: Shares) -> Shares:
        found = found.model_copy(update={"ceiling": ceiling})
        for shot, priority, run_id in runs:
            found = shares.joined(found, shot, priority, run_id)
        return found

    return change(folder, all_joined)


def share_of(order: Mapping[str, Any]) -> tuple[Shares, ShotShare | None] | None:
    """The night's shares, and the shot's; None in a night without a ceiling."""
    found = read(folder_of(order))
    return None if found is None else (found, found.shots.get(order["shot"]))


def joined(order: Mapping[str, Any], run_id: str, found: Shares) -> Shares:
    """With the run as the one that has the shot."""
    before = found.shots.get(order["shot"])
    return shares.joined(found, order["shot"], before.priority if before else order.get("priority", 50), run_id)


def ask_for_probe(order: Mapping[str, Any], run_id: str) -> ShotShare:
    """Ask for the share of a shot's probe."""
    shot = order["shot"]

    def asked(found: Shares) -> Shares:
        return shares.asked_for_probe(joined(order, run_id, found), shot, run_id, order["layers"])

    return change(folder_of(order), asked).shots[shot]


def probe_of(config: Mapping[str, Any], numbers: Iterable[int]) -> dict[str, Any]:
    """What renders the probe of a layer, whose frames are kept."""
    return {**config, "frameRanges": frame_ranges(probe_frames([*numbers]))}


def jobs_before(order: Mapping[str, Any], run_id: str) -> dict[str, list[str]]:
    """By layer, the jobs that a run has ordered until now: a share given now is not for them."""
    return {
        layer: [job["job_id"] for job in jobs_on_record(join(order["work"], layer, JOBS), run_id)]
        for layer in layers_of(order)
    }


def allowance(
    order: Mapping[str, Any], layer: str, run_id: str, task_id: str, before: Iterable[str], generation: int
) -> float | None:
    """What a task of a layer may spend, by the log; None where nothing limits it.

    Args:
        order: of the shot.
        layer: its name.
        run_id: of the run.
        task_id: `probe` or `render`.
        before: the jobs of the layer that the share is not for.
        generation: 0 for the first tries of the task, and a higher number after each clear: what
            the share has paid for until then is subtracted.

    Raises:
        ValueError: when the run has no share, or nothing is left of it.
    """
    found = share_of(order)
    if found is None:
        return None
    mine, state = found[1], "probing" if task_id == "probe" else "given"
    most = mine.given.get(layer, 0.0) if mine and mine.run_id == run_id and mine.state == state else 0.0
    if most > 0 and generation:
        folder, name = join(order["work"], layer), f"allowance-{task_id}-{mark_of(run_id)}-{generation}.json"
        with suppress(FileExistsError):  # another try has worked it out
            jobs = jobs_on_record(join(folder, JOBS), run_id)
            spent, _ = _cost({job["job_id"] for job in jobs}.difference(before))
            create(folder, name, json.dumps({"most": 0.0 if spent is None else most - spent}).encode())
        most = float((read_json(join(folder, name)) or {}).get("most", 0.0))
    if most <= 0:
        raise ValueError(
            f"{layer} has no share of the night's ceiling (any more): clear `share` together with `{task_id}`, which asks "
            "for one again"
        )
    return most


def settle(order: Mapping[str, Any], run_id: str) -> Shares | None:
    """Settle the share of a run that ends: say what it has spent. Twice is harmless.

    A run of which a job still renders, such as that of another layer, is left to the next that
    looks: see `settle_the_dead`.

    Returns:
        The shares as they are then; None in a night without a ceiling.
    """
    found = share_of(order)
    if found is None or found[1] is None:
        return None if found is None else found[0]
    spent, is_over = cost_of_run(shot_folder(order), run_id)
    if not is_over:
        return found[0]
    return change(folder_of(order), lambda now: shares.settled(now, order["shot"], run_id, spent))


def settle_the_dead(order: Mapping[str, Any], run_state: RunState) -> Shares:
    """Settle the shares of all runs of the night that are over, and have not done it themselves.

    Args:
        order: of a shot of the night.
        run_state: see `RunState`.
    """
    folder = folder_of(order)
    found = read(folder) or shares.begin(1.0, ())
    nightly = read_json(join(folder, NIGHTLY))
    is_planned = isinstance(nightly, dict) and run_state(nightly["dag_id"], nightly["run_id"]) not in _OVER
    root = shot_folder(order).rpartition("/")[0]
    for shot in found.shots.values():
        if shot.is_over or shot.shot == order["shot"]:
            continue
        state = run_state(SHOT_DAG, shot.run_id) if shot.run_id else None
        if state not in _OVER or (state is None and is_planned):
            continue
        spent, _ = cost_of_run(join(root, shot.shot), shot.run_id, has_share=bool(shot.given))
        _log.info("The run %s of %s is over, and had not said what it has spent", shot.run_id, shot.shot)
        found = change(folder, _settlement(shot.shot, shot.run_id, spent))
    return found


def cost_of_run(shot_folder: str, run_id: str, *, has_share: bool = True) -> tuple[float | None, bool]:
    """What all jobs of a run have cost, of all versions and layers; and whether all are over.

    Args:
        shot_folder: the work folder of the shot.
        run_id: of the run.
        has_share: whether it may have spent something though nothing of it is in that folder.

    Returns:
        None for a cost that is not known.
    """
    claims = [read_json(join(shot_folder, _CLAIMS, name)) for name in names_in(join(shot_folder, _CLAIMS))]
    if run_id not in {claim.get("run_id") for claim in claims if isinstance(claim, dict)}:
        return (None if has_share else 0.0), True
    return _cost(
        {
            job["job_id"]
            for version in names_in(shot_folder)
            if version != _CLAIMS
            for layer in names_in(join(shot_folder, version))
            for job in jobs_on_record(join(shot_folder, version, layer, JOBS), run_id)
        }
    )


def _cost(jobs: Iterable[str]) -> tuple[float | None, bool]:
    """Normalized seconds, None where those of one are not known; and whether all are over."""
    outcomes = job_outcomes({"": [*jobs]}, [], CONNECTION)[""].values()
    seconds = [outcome["seconds"] for outcome in outcomes]
    is_over = not any(outcome["running"] or not outcome["status"] for outcome in outcomes)
    return (None if None in seconds or not is_over else sum(seconds)), is_over


def _settlement(shot: str, run_id: str, spent: float | None) -> Callable[[Shares], Shares]:
    return lambda found: shares.settled(found, shot, run_id, spent)


def shot_folder(order: Mapping[str, Any]) -> str:
    """The work folder of a shot, of all its versions."""
    return str(order["claims"]).rpartition("/")[0]


def facts_of(night: Shares | None, shot: str, run_id: str) -> dict[str, Any]:
    """What an entry says of a run's share: `quote`, `share` and `ceiling`, as far as there are."""
    if night is None:
        return {}
    known: dict[str, Any] = {"ceiling": night.ceiling}
    mine = night.shots.get(shot)
    if mine and mine.run_id == run_id and (quote := mine.quote):
        known["quote"] = quote.model_dump(include={"likely", "least", "most", "source"})
        known |= {"share": mine.share} if mine.share is not None else {}
    return known
