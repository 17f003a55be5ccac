"""The stages as Airflow tasks: thin, for what they do is in plain functions beside them, with tests of their own.

Nothing heavy is imported here at the top: every task of a DAG reads this file when it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from airflow.sdk import BaseBranchOperator, task
from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_FOLLOWED, XCOM_SKIPMIXIN_KEY
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.operators.renderjuice import RenderjuiceJobOverError
from renderjuice_provider.operators.waiting import JOB_KEY

SHOT_NAME = "{{ ti.xcom_pull(task_ids='plan', key='names', map_indexes=-1)[ti.map_index] }}"
"""For `map_index_template`: the shot's name on every task of its group."""
_log = logging.getLogger(__name__)


@contextmanager
def _no_use_to_retry() -> Iterator[None]:
    """What our stages refuse is refused again tomorrow: fail at once."""
    try:
        yield
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


# Before the shots


@task(task_id="plan")
def plan_night(*, layers: Iterable[str], timezone: str, **context: Any) -> list[dict[str, Any]]:
    """Read the shot list, and return what the group is expanded with: one shot each, none on a dry run."""
    from stages import planning
    from stages.shot_list import load_shot_list

    params, ti = context["params"], context["ti"]
    night = params["date"] or planning.night_of(context["dag_run"].run_after, timezone)
    with _no_use_to_retry():
        shots, problems = load_shot_list(params["shot_list"])
        for problem in problems:
            _log.error("%s, %s", params["shot_list"], problem)
        planned = planning.plan_night(shots, problems, params, night)
    if params["dry_run"]:
        planned |= {"orders": [], "would_render": [order["shot"] for order in planned["orders"]]}
    ti.xcom_push("night", planned)
    return _rows(ti, layers, [{"order": order, "files": order["files"]} for order in planned["orders"]])


@task(task_id="plan")
def plan_repairs(*, layers: Iterable[str], renderjuice_conn_id: str, **context: Any) -> list[dict[str, Any]]:
    """Fetch what the night's failed jobs left, and return what the group is expanded with: the shots that can be repaired."""
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
    from stages import rerender
    from stages.storage import storage

    params, ti = context["params"], context["ti"]

    def salvage(job_id: str, folder: str) -> None:
        RenderjuiceHook(renderjuice_conn_id).client.download_outputs(job_id, storage(folder))

    with _no_use_to_retry():
        planned = rerender.plan_repairs(params["destination"], params["date"], params["shots"], salvage)
    repairs = planned["repairs"]
    ti.xcom_push("night", planned | {"orders": [repair["order"] for repair in repairs]})
    rows = []
    for repair in repairs:
        configs = repair["configs"]
        files = {layer: file for layer, file in repair["order"]["files"].items() if configs[layer]}
        more = {f"{layer}_config": configs.get(layer) for layer in layers}
        rows.append({"order": repair["order"], "files": files, "decision": repair["decision"], **more})
    return _rows(ti, layers, rows)


def _rows(ti: Any, layers: Iterable[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a column for each layer: the arguments of a mapped group cannot be taken apart inside it."""
    ti.xcom_push("names", [row["order"]["shot"] for row in rows])
    for row in rows:
        files = row.pop("files")
        row |= {f"{layer}_file": files.get(layer) for layer in layers}
        row |= {f"{layer}_folder": f"{row['order']['work']}/{layer}" for layer in layers}
    return rows


# One shot


class DecideOperator(BaseBranchOperator):
    """`@task.branch` on what validation found: `reject`, or for each layer `render_final` or `render_economical`.

    A class, because up to Airflow 3.3.2 a branch inside a mapped group skips nothing: all branches run, which here would pay for
    every render twice and for the rejected ones too (https://github.com/apache/airflow/issues/67265). So the tasks that are not
    chosen are skipped outright, and `guard` stops those that this does not reach.

    Pushes `decision`, and for each layer `<layer>_job` and `<layer>_config`. Tasks after it take those: being directly downstream
    is what lets a branch skip them.

    Args:
        order: of the shot.
        found: by layer, what validation returned; None for a layer that the shot does not have.
    """

    template_fields = ("order", "found")

    def __init__(self, *, order: Any, found: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.order = order
        self.found = found

    def choose_branch(self, context: Any) -> list[str]:
        """The task ids to go on with."""
        from stages.decisions import decide

        decision = decide(self.order, self.found)
        ti = context["ti"]
        ti.xcom_push("decision", decision)
        configs = decision.get("configs", {})
        for (
            layer
        ) in self.found:  # something for every layer, so that a task which only `guard` will stop can be rendered
            ti.xcom_push(f"{layer}_job", decision["jobs"].get(layer, ""))
            ti.xcom_push(f"{layer}_config", configs.get(layer, {}))
        group, _, _ = self.task_id.rpartition(".")
        if decision["branch"] == "reject":
            return [f"{group}.reject"]
        self.log.info("%s settings: %s", decision["branch"], decision["why"])
        return [f"{group}.render_{layer}.render_{decision['branch']}" for layer in configs]

    @staticmethod
    def _set_state_to_skipped(tasks: Any, map_index: int | None) -> None:  # noqa: ARG004 - as its base calls it
        if tasks:
            raise DownstreamTasksSkipped(tasks=tasks)


def guard(context: Any) -> None:
    """`pre_execute` of every task of a shot: skips a layer that the shot does not have, and a branch that was not chosen.

    The branch skips its siblings where they exist; Airflow may not have expanded them yet. Before money is spent, we ask again.
    """
    ti, operator = context["ti"], context["task"]
    if getattr(operator, "file_path", "") is None:
        raise AirflowSkipException("Nothing to do for this layer of the shot")
    for parent in operator.get_direct_relatives(upstream=True):
        if isinstance(parent, BaseBranchOperator):
            chosen = ti.xcom_pull(task_ids=parent.task_id, key=XCOM_SKIPMIXIN_KEY, map_indexes=ti.map_index) or {}
            if ti.task_id not in chosen.get(XCOM_SKIPMIXIN_FOLLOWED, [ti.task_id]):
                raise AirflowSkipException(f"{parent.task_id} has chosen another branch")


def note_failure(context: Any) -> None:
    """`on_failure_callback` of every task of a shot: leaves the reason for the summary."""
    ti, error = context["ti"], context.get("exception")
    stage = ti.task_id.rpartition(".")[2]
    job = getattr(error, "job", None)
    refused = isinstance(error, (RenderjuiceInputError, RenderjuiceJobOverError)) and stage in {"upload", "validate"}
    ti.xcom_push(
        "failure",
        {
            "map_index": ti.map_index,
            "task": ti.task_id,
            "reason": str(error or "it was killed")[:1000],
            # A scene that cannot be opened is the artist's to mend, like one without a camera.
            "rejects": refused,
            "render_seconds": (job.normalized_seconds if job is not None and stage.startswith("render") else None)
            or 0.0,
        },
    )


@task
def reject(decision: dict[str, Any]) -> dict[str, Any]:
    """Note why a shot is not rendered."""
    _log.warning("%s is rejected: %s", decision["shot"], "; ".join(decision["reasons"]))
    return {"shot": decision["shot"], "reasons": decision["reasons"]}


@task(trigger_rule="none_failed")
def composite(order: dict[str, Any], decision: dict[str, Any]) -> dict[str, Any]:
    """Lay the layers over each other, ready for display; see `stages.composite`."""
    from stages.composite import composite as composite_layers
    from stages.decisions import frame_numbers
    from stages.storage import join, local_copy, local_result

    folder = join(order["work"], "composite")
    preset = order["render"].get("colorManagementPreset", "default")
    with ExitStack() as stack:
        layers = {
            layer: stack.enter_context(local_copy(join(order["work"], layer, "frames"))) for layer in order["files"]
        }
        result = stack.enter_context(local_result(folder))
        with _no_use_to_retry():
            found = composite_layers(layers, frame_numbers(decision["frames"]), result, preset=preset)
    return found | {"folder": folder}


@task
def deliver(order: dict[str, Any], decision: dict[str, Any], composited: dict[str, Any]) -> dict[str, Any]:
    """Publish movie, frames, contact sheet and manifest, all or nothing; see `stages.delivery`."""
    from stages.delivery import deliver as deliver_shot
    from stages.storage import local_copy

    with local_copy(composited["folder"]) as frames:
        return deliver_shot(order, decision, composited, Path(frames))


# After the shots


@task(trigger_rule="all_done")
def summarize(**context: Any) -> dict[str, Any]:
    """Tell what became of each shot, and fail if one failed: then the run is red, and on-call sees it.

    Rejected shots leave the run green. They are the artists' to mend, and the summary tells them why.
    """
    return _tell(context, lambda ti, _planned: _pull(ti, "decide", "decision"))


@task(trigger_rule="all_done", task_id="summarize")
def summarize_repairs(**context: Any) -> dict[str, Any]:
    """`summarize` for repairs. Jobs that were started now take the place of the failed ones: a next repair goes on from them."""

    def decisions(ti: Any, planned: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for index, repair in enumerate(planned["repairs"]):
            jobs = {
                layer: ti.xcom_pull(task_ids=f"shot.{layer}.render", key=JOB_KEY, map_indexes=index)
                for layer, config in repair["configs"].items()
                if config
            }
            decision = repair["decision"]
            now = {layer: job for layer, job in jobs.items() if job}
            found.append(decision | {"jobs": decision["jobs"] | now})
        return found

    return _tell(context, decisions)


def _tell(context: Any, decisions: Callable[[Any, dict[str, Any]], list[dict[str, Any]]]) -> dict[str, Any]:
    from stages import summary

    ti, params = context["ti"], context["params"]
    planned = ti.xcom_pull(task_ids="plan", key="night", map_indexes=-1)
    if planned is None:
        raise AirflowFailException("Nothing was planned; the log of `plan` says why")
    states = ti.get_task_states(dag_id=ti.dag_id, task_group_id="shot", run_ids=[ti.run_id]).get(ti.run_id, {})
    xcoms = {
        "decisions": decisions(ti, planned),
        "renders": _pull(ti, "render"),
        "rejections": _pull(ti, "reject"),
        "deliveries": _pull(ti, "deliver"),
        "failures": _pull(ti, "", "failure"),
    }
    entries = planned["entries"] + summary.entries_of(planned["orders"], states, xcoms)
    found = summary.report(planned["night"], entries, dry_run=planned.get("would_render", ()))
    _log.info("\n%s", summary.as_text(found))
    if not params.get("dry_run"):
        found["summary"] = summary.keep(params["destination"], planned["night"], entries)
    ti.xcom_push("return_value", found)
    if found["failed"]:
        raise AirflowFailException(f"{len(found['failed'])} shots failed: {', '.join(sorted(found['failed']))}")
    return found


def _pull(ti: Any, stage: str, key: str = "return_value") -> list[Any]:
    """What all tasks of the group whose name begins with `stage` left, of all shots, in no order."""
    ids = [
        task_id
        for task_id in ti.task.dag.task_ids
        if task_id.startswith("shot.") and task_id.rpartition(".")[2].startswith(stage)
    ]
    return [value for value in ti.xcom_pull(task_ids=ids, key=key) or [] if value] if ids else []
