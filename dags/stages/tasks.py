"""The stages of one shot as Airflow tasks. What they do is in plain functions beside this module.

Nothing heavy is imported here at the top: every task of a DAG reads this file when it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.errors import Bill, RenderjuiceError, RetryEffect
from renderjuice_provider.api.redact import redact, storable
from renderjuice_provider.lineage import note_lineage
from stages.assets import DELIVERED, announce
from stages.compat import AirflowSkipException
from stages.defaults import CONNECTION, TIMEZONE, pool_note
from stages.leaving import leave, rendered, settle, show
from stages.refusals import no_use_to_retry

LAYER = "{{ ti.xcom_pull(task_ids='take_order', key='layers')[ti.map_index] }}"
"""For `map_index_template`: the layer's name on each task of it."""
_TO_GO_ON = "What was rendered is paid and kept. To go on, clear `render`: only what is missing is rendered"
_log = logging.getLogger(__name__)


@task
def take_order(**context: Any) -> list[dict[str, str]]:
    """Take the order for a shot, and claim the shot. Returns a row for each layer, bottom up.

    Pushes the `order`. What is delivered already is skipped, with all tasks after this one.
    """
    from stages import entries, orders
    from stages.asking import amount
    from stages.delivery import check_not_anothers
    from stages.leftovers import stop_other_versions
    from stages.storage import check_places

    params, ti = context["params"], context["ti"]
    with no_use_to_retry(then="Nothing was sent, and nothing was spent."):
        night = params["date"] or orders.night_of(context["dag_run"].run_after, TIMEZONE)
        order = storable(orders.order_by_hand(params, night, ti.run_id), most=float("inf"), urls=False)
        check_not_anothers(order)
        check_places(params)
        amount(params.get("ask_above"), "ask_above")
        had_it = _claim(order, ti)
    if had_it and (stopped := stop_other_versions(order, ti.run_id)):
        order["stopped"] = stopped
    entry = entries.read_entry(order["entry"])
    if reason := _no_use(ti, order, entry):
        if not entry:
            entries.write_entry(
                entries.about(order, ti.run_id) | {"state": "skipped", "reason": reason, **entries.of_stopped(order)},
                order["entry"],
            )
        settle(order, ti.run_id, context)
        show(ti, "skipped", f"It is {reason}.")
        raise AirflowSkipException(f"{order['shot']} is {reason}")
    if note := pool_note():
        _log.info(note)
    ti.xcom_push("layers", order["layers"])
    ti.xcom_push("order", order)
    return [
        {"file_path": order["files"][layer], "destination": f"{order['work']}/{layer}"} for layer in order["layers"]
    ]


def _no_use(ti: Any, order: dict[str, Any], entry: dict[str, Any]) -> str:
    """Why there is nothing to do; empty when there is, if only to finish what failed this night."""
    from stages.delivery import current_delivery
    from stages.runs import run_state

    delivered = current_delivery(order["delivery"])
    if delivered is None or delivered["fingerprint"] != order["fingerprint"] or order.get("again"):
        return ""
    if entry.get("run_id") == ti.run_id or entry.get("state") == "failed":
        return ""
    if entry.get("run_id") and run_state(ti, ti.dag_id, entry["run_id"]) == "failed":
        return ""  # it was killed, perhaps before the tracker knew
    return f"unchanged since its delivery of {delivered.get('night', 'an unknown night')}"


def keep_claim(context: Any) -> None:
    """`pre_execute` of a task that pays: only the run that has the shot may go on.

    A run that was over, and is cleared, may have lost it to another run meanwhile. If that one is
    over as well, the shot is claimed again.
    """
    ti = context["ti"]
    order = ti.xcom_pull(task_ids="take_order", key="order")
    with no_use_to_retry(order["shot"], "This run has ordered nothing more."):
        _claim(order, ti)


def keep_share(context: Any) -> None:
    """`pre_execute` of the tasks that render: see `keep_claim`; and hold them to their share.

    What it is, the log of the night's shares says: a user's clear gets no task past it.
    """
    from stages import sharing
    from stages.asking import amount

    keep_claim(context)
    ti, task_id = context["ti"], context["ti"].task_id
    order = ti.xcom_pull(task_ids="take_order", key="order")
    layer = order["layers"][ti.map_index]
    with no_use_to_retry(order["shot"], "This run has ordered nothing more."):
        if ti.xcom_pull(task_ids="decide", key="has_ceiling"):
            asked = ti.xcom_pull(task_ids="decide" if task_id == "probe" else "share", key="before") or {}
            # Where Airflow keeps no record of a task's jobs, each try would spend the whole share.
            clears = ti.max_tries - context["task"].retries
            generation = clears if context.get("task_state_store") is not None else ti.try_number - 1
            most = sharing.allowance(order, layer, ti.run_id, task_id, asked.get(layer, ()), generation)
        elif task_id == "probe":
            most = amount(context["params"].get("ask_above"), "ask_above")
        else:
            return
    context["task"].max_normalized_seconds = most


def _claim(order: Mapping[str, Any], ti: Any) -> bool:
    from stages.claims import claim
    from stages.runs import OVER, run_state

    def is_over(dag_id: str, run_id: str) -> bool:
        return run_state(ti, dag_id, run_id) in {None, *OVER}

    return claim(order["claims"], {"run_id": ti.run_id, "dag_id": ti.dag_id}, is_over)


@task.branch
def decide(order: dict[str, Any], found: Any, **context: Any) -> str:
    """Go on with `reject`, `probe`, `share` or `render`, by what validation found in each layer.

    `render` at once where the night has no ceiling, and nobody is to be asked. Pushes the
    `decision`; and for the renders `configs` and `probes`, in the order of the layers, `timeout`
    and `seconds_per_frame`.
    """
    from stages.decisions import TIMEOUTS, frame_numbers
    from stages.decisions import decide as decide_shot
    from stages.sharing import probe_of
    from stages.stuck import SECONDS, seconds_per_frame

    decision = storable(decide_shot(order, dict(zip(order["layers"], found, strict=True))))
    ti = context["ti"]
    ti.xcom_push("decision", decision)
    if decision["branch"] == "reject":
        return "reject"
    configs, numbers = [decision["configs"][layer] for layer in order["layers"]], frame_numbers(decision["frames"])
    ti.xcom_push("configs", configs)
    ti.xcom_push("probes", [probe_of(config, numbers) for config in configs])
    ti.xcom_push("timeout", TIMEOUTS[decision["branch"]])
    ti.xcom_push(SECONDS, seconds_per_frame(order, decision["branch"]))
    _log.info("%s settings: %s", decision["branch"], decision["why"])
    with no_use_to_retry(order["shot"], "Nothing was rendered."):
        return _way_to_render(order, decision, context)


def _way_to_render(order: dict[str, Any], decision: dict[str, Any], context: Any) -> str:
    from stages import history, sharing
    from stages.asking import amount

    ti = context["ti"]
    has_ceiling = sharing.share_of(order) is not None
    ti.xcom_push("has_ceiling", has_ceiling)
    if not has_ceiling and amount(context["params"].get("ask_above"), "ask_above") is None:
        return "render"
    if history.quotes_of(order, decision, CONNECTION).keys() == {*order["layers"]}:
        return "share"
    ti.xcom_push("before", sharing.jobs_before(order, ti.run_id))
    if has_ceiling and (mine := sharing.ask_for_probe(order, ti.run_id)).state == "held":
        ti.xcom_push("no_probe", mine.why)
        return "share"
    return "probe"


@task
def reject(order: dict[str, Any], decision: dict[str, Any], **context: Any) -> None:
    """Note why a shot is not rendered."""
    from stages.entries import about, of_stopped

    reason = "; ".join(decision["reasons"])
    _log.warning("%s is rejected: %s", order["shot"], reason)
    show(context["ti"], "rejected", f"{reason}.")
    run_id = context["ti"].run_id
    leave(about(order, run_id) | {"state": "rejected", "reason": reason, **of_stopped(order)}, context)


def is_whole(path: Path) -> bool:
    """Whether a rendered picture can be read to its last byte."""
    from stages import pictures

    return pictures.is_whole(path)


def check_frames(paths: Sequence[Path]) -> dict[Path, str]:
    """Which frames of an output are suspicious, and why."""
    from stages import frame_check

    return frame_check.check_frames(paths)


# A farm renders while the workers composite, so renders are ordered first, of all shots.
@task(weight_rule="absolute", priority_weight=-3)
def composite(order: dict[str, Any], decision: dict[str, Any]) -> dict[str, Any]:
    """Lay the layers on each other, ready for display; see `stages.composite`."""
    from stages.composite import composite as composite_layers
    from stages.decisions import frame_numbers
    from stages.storage import join, local_copy, local_result

    folder = join(order["work"], "composite")
    preset = order["render"].get("colorManagementPreset", "default")
    with ExitStack() as stack:
        layers = {
            layer: stack.enter_context(local_copy(join(order["work"], layer, "frames"))) for layer in order["layers"]
        }
        result = stack.enter_context(local_result(folder))
        with no_use_to_retry(order["shot"], _TO_GO_ON):
            numbers = frame_numbers(decision["frames"])
            found = composite_layers(layers, numbers, result, preset=preset, blends=order["blends"])
    note_lineage([join(order["work"], layer, "frames") for layer in order["layers"]], [folder])
    return found | {"folder": folder}


@task(outlets=[DELIVERED], weight_rule="absolute", priority_weight=-2)
def deliver(
    order: dict[str, Any], decision: dict[str, Any], composited: dict[str, Any], renders: Any, **context: Any
) -> dict[str, Any]:
    """Publish movie, frames, contact sheet and manifest, all or nothing; see `stages.delivery`."""
    from stages import entries
    from stages.delivery import deliver as deliver_shot
    from stages.storage import local_copy

    run_id, renders = context["ti"].run_id, list(renders)
    with local_copy(composited["folder"]) as frames, no_use_to_retry(order["shot"], "Its frames are paid and kept"):
        delivered = deliver_shot(order, decision, composited, Path(frames))
    facts = entries.render_facts(order, run_id, rendered(context["ti"]))
    whole = sum(render["frames_requested"] or 0 for render in renders)
    facts |= {"state": "delivered", "decision": decision, "frames_rendered": min(facts["frames_ordered"], whole)}
    leave(entries.about(order, run_id) | facts | delivered, context)
    note_lineage([composited["folder"]], [delivered["movie"], delivered["contact_sheet"], delivered["manifest"]])
    announce(delivered, context["params"]["destination"], context)
    return delivered


def note_failure(context: Any) -> None:
    """`on_failure_callback` of every task of a shot: leaves its entry, for the night's report."""
    from stages import entries
    from stages.claims import ClaimedError
    from stages.note import write_note

    ti, error = context["ti"], context.get("exception")
    order = ti.xcom_pull(task_ids="take_order", key="order")
    reason = redact(str(error or "it was killed"), longest=1000)
    if error and not isinstance(error, RenderjuiceError):  # our operators leave that themselves
        show(ti, "failed", reason)
    if not order or isinstance(getattr(error, "__cause__", None), ClaimedError):
        # This run never had the shot, or does not have it any more: the entry is another run's.
        ti.xcom_push("refused", reason)  # for the night's report
        if order:
            settle(order, ti.run_id, context)
        write_note(context, f"failed: {reason}")
        return
    final = getattr(error, "retry", None) in {RetryEffect.AFTER_CORRECTION, RetryEffect.CANNOT_HELP}
    free = getattr(error, "bill", None) in {Bill.NOTHING_SPENT, Bill.NOTHING_RENDERED}
    # A scene that cannot be opened has to be fixed by the artist, like one without a camera.
    rejects = final and free and ti.task_id in {"upload", "validate"}
    before = entries.read_entry(order["entry"])
    entry = before if before.get("run_id") == ti.run_id else {}  # such as where it was delivered
    entry |= entries.about(order, ti.run_id) | entries.render_facts(order, ti.run_id, rendered(ti))
    entry |= {
        "state": "rejected" if rejects else "failed",
        "reason": reason,
        "task": ti.task_id,
        "decision": ti.xcom_pull(task_ids="decide", key="decision"),
    }
    leave(entry, context)
