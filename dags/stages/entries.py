"""What became of a shot: its entry, a file that its run leaves for the night's report.

    <destination>/nights/<night>/shots/<shot>.json

It holds the last run of the shot that night. `deliver` writes `delivered`, `reject` writes
`rejected`, and a task that fails for good writes `failed`. A run that was killed leaves nothing, or
the entry of a run before it, so a reader looks at the runs as well: see `present_entry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from renderjuice_provider.frames import ordered_frames
from stages.decisions import layers_of
from stages.delivery import version_of
from stages.storage import join, put_json, read_json

JOBS = "jobs.json"
"""In a layer's work folder: the jobs that were ordered into it, as
`RenderjuiceRenderFramesOperator` leaves them."""
RunState = Callable[[str], str | None]
"""The state of a shot's run, by its id; None where Airflow does not know it."""


def about(order: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """What every entry of a shot says."""
    return {
        "shot": order["shot"],
        "run_id": run_id,
        "show": order["show"],
        "layers": layers_of(order),
        "version": version_of(order),
        "fingerprint": order["fingerprint"],
        "order": dict(order),
    } | ({"sequence": order["sequence"]} if "sequence" in order else {})


def render_facts(order: Mapping[str, Any], run_id: str, renders: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What the renders of a run came to, as far as its jobs are on record.

    Args:
        order: of the shot. The work folders of its layers name the jobs.
        run_id: of the shot's run.
        renders: what `RenderjuiceRenderFramesOperator` returned, for each layer that has ended.

    Returns:
        `jobs` (of each its `layer`, how many `frames` it was ordered, and how many of these had
        been ordered `again`), `spent` (the seconds of each; None where not known yet),
        `render_seconds` (their sum), `frames_ordered` (over all layers and rounds) and `rounds`
        (the most of a layer).
    """
    by_layer = {layer: _ordered(layer, join(order["work"], layer, JOBS), run_id) for layer in layers_of(order)}
    jobs = {job: found for of_layer in by_layer.values() for job, found in of_layer.items()}
    spent: dict[str, float | None] = dict.fromkeys([*order.get("stopped", ()), *jobs])
    for render in renders:
        spent |= render["jobs"]
    return {
        "jobs": jobs,
        "spent": spent,
        "by_layer": {layer: {job: spent[job] for job in of_layer} for layer, of_layer in by_layer.items()},
        "render_seconds": total(spent),
        "frames_ordered": sum(job["frames"] for job in jobs.values()),
        "rounds": max(map(len, by_layer.values()), default=0),
    }


def _ordered(layer: str, place: str, run_id: str) -> dict[str, dict[str, Any]]:
    """What a run has ordered into the folder of a layer, by job."""
    found: dict[str, dict[str, Any]] = {}
    before: set[int] = set()
    for job in _records(place):
        frames = ordered_frames(job.get("render_config")) or frozenset()
        if job.get("run_id") == run_id:
            found[job["job_id"]] = {"layer": layer, "frames": len(frames), "again": len(frames & before)}
        before |= frames
    return found


def of_stopped(order: Mapping[str, Any]) -> dict[str, Any]:
    """What a run has `spent` that renders nothing now, but did before it was cleared."""
    return {"spent": dict.fromkeys(order["stopped"])} if "stopped" in order else {}


def total(spent: Mapping[str, float | None]) -> float:
    """Seconds in all, without those that are not known."""
    return round(sum(seconds or 0.0 for seconds in spent.values()), 3)


def joined(before: Mapping[str, float | None], now: Mapping[str, float | None]) -> dict[str, float | None]:
    """What was spent before and now, by job. Seconds that were known once stay known."""
    return {**before, **{job: before.get(job) if seconds is None else seconds for job, seconds in now.items()}}


def jobs_on_record(place: str, run_id: str) -> list[dict[str, Any]]:
    """The jobs that a run has ordered into the folder of a layer, by its `jobs.json`."""
    return [job for job in _records(place) if job.get("run_id") == run_id]


def _records(place: str) -> list[dict[str, Any]]:
    found = read_json(place)
    jobs = [job for job in found if isinstance(job, dict)] if isinstance(found, list) else []
    return [job for job in jobs if isinstance(job.get("job_id"), str)]


def write_entry(entry: Mapping[str, Any], place: str) -> str:
    """Write an entry in place of the one before it, and return where it is.

    What was spent on this shot the same night before was paid, and is kept as `spent_before`: by
    earlier runs, or by this one until it was cleared and its order was another. Their `jobs` are
    kept, too.
    """
    before = read_entry(place)
    spent = before.get("spent", {})
    if before.get("run_id") == entry["run_id"]:
        spent = {job: seconds for job, seconds in spent.items() if job not in entry.get("spent", {})}
    earlier = joined(before.get("spent_before", {}), spent)
    jobs = {**before.get("jobs", {}), **entry.get("jobs", {})}
    folder, _, name = place.rpartition("/")
    now: dict[str, Any] = {"written": datetime.now(UTC).isoformat()}
    now |= ({"spent_before": earlier} if earlier else {}) | ({"jobs": jobs} if jobs else {})
    return put_json(folder, name, dict(entry) | now)


def read_entry(place: str) -> dict[str, Any]:
    """The entry there; empty when there is none."""
    found = read_json(place)
    return found if isinstance(found, dict) and isinstance(found.get("state"), str) else {}


def present_entry(
    planned: Mapping[str, Any], entry: Mapping[str, Any], run_state: RunState, tasks: Callable[[str], Sequence[str]]
) -> dict[str, Any]:
    """The entry of a shot as it is now, whatever was killed, or run again by hand, since.

    Args:
        planned: `run_id` of the run that the nightly started, `order` of its shot, and `replaces`:
            when the entry was written that was there before it, None where there was none.
        entry: what is there now; empty for nothing.
        run_state: see `RunState`.
        tasks: the tasks of a run that did not end well.

    Returns:
        The entry. A run that failed and left none of its own gets one that says `failed`.
    """
    order, run_id = planned["order"], planned["run_id"]
    before = planned.get("replaces")
    if entry and (before is None or entry.get("written") != before):
        run_id = entry.get("run_id", run_id)  # or another run came after ours, such as one by hand
    state = run_state(run_id)
    if entry.get("run_id") == run_id:
        if state == "success":
            # Only the last task can have failed, and have been cleared: the others write again.
            gone = {"state": "delivered", "reason": None, "task": None} if entry["state"] == "failed" else {}
            return {name: value for name, value in (dict(entry) | gone).items() if value is not None}
        if state is None or (state == "failed" and entry["state"] != "delivered"):
            return _with_all_jobs(entry, order)
    else:
        entry = about(order, run_id)
    wrong = ", ".join(tasks(run_id))
    reason = {
        "failed": f"its run {run_id} failed; see the log of {wrong or 'its tasks'}",
        "success": f"its run {run_id} ended without a delivery",
        None: "it was not started; see the log of its row",
    }.get(state, f"its run {run_id} is not over yet")
    facts = render_facts(order, run_id) if not entry.get("spent") else {}
    now = _with_all_jobs({**entry, **facts}, order)
    return now | {"state": "failed", "reason": reason, "task": wrong.partition(",")[0]}


def _with_all_jobs(entry: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    """With the jobs that layers ordered after another layer had failed and left the entry."""
    spent = entry.get("spent", {})
    facts = render_facts(order, entry["run_id"], [{"jobs": spent}])
    facts["jobs"] = {**entry.get("jobs", {}), **facts["jobs"]}
    return {**entry, **facts} if facts["spent"].keys() - spent.keys() else dict(entry)
