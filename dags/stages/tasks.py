"""The stages of one shot as Airflow tasks. What they do is in plain functions beside this module.

Nothing heavy is imported here at the top: every task of a DAG reads this file when it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.errors import Bill, RetryEffect
from renderjuice_provider.api.redact import redact, storable
from stages.compat import (
    XCOM_SKIPMIXIN_FOLLOWED,
    XCOM_SKIPMIXIN_KEY,
    AirflowSkipException,
    BaseBranchOperator,
    DownstreamTasksSkipped,
)
from stages.refusals import no_use_to_retry

SHOT_NAME = "{{ ti.xcom_pull(task_ids='plan', key='names', map_indexes=-1)[ti.map_index] }}"
"""For `map_index_template`: the shot's name on every task of its group."""
_log = logging.getLogger(__name__)


class DecideOperator(BaseBranchOperator):
    """Branch on what validation found: `reject`, or `render_final` or `render_economical` by layer.

    This is a class because up to Airflow 3.3.2 a `@task.branch` inside a mapped group skips
    nothing: all branches run, which here would pay for every render twice, and for the rejected
    ones too (https://github.com/apache/airflow/issues/67265). So the tasks that are not chosen are
    skipped directly, and `guard` skips those that this does not reach.

    Pushes `decision`, and for each layer `<layer>_job` and `<layer>_config`. Tasks after it take
    those: being directly downstream is what lets a branch skip them.

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

        decision = storable(decide(self.order, self.found))
        ti = context["ti"]
        ti.xcom_push("decision", decision)
        configs = decision.get("configs", {})
        # Every layer gets both, so that the templates of a task that `guard` will skip can be
        # rendered.
        for layer in self.found:
            ti.xcom_push(f"{layer}_job", decision["jobs"].get(layer, ""))
            ti.xcom_push(f"{layer}_config", configs.get(layer, {}))
        group, _, _ = self.task_id.rpartition(".")
        if decision["branch"] == "reject":
            return [f"{group}.reject"]
        self.log.info("%s settings: %s", decision["branch"], decision["why"])
        return [f"{group}.render_{layer}.render_{decision['branch']}" for layer in configs]

    @staticmethod
    def _set_state_to_skipped(tasks: Any, map_index: int | None) -> None:  # noqa: ARG004 - inherited
        if tasks:
            raise DownstreamTasksSkipped(tasks=tasks)


def guard(context: Any) -> None:
    """`pre_execute` of every task of a shot: skips absent layers and branches that were not chosen.

    The branch skips the other branches, but Airflow may not have expanded them yet. So this checks
    again before money is spent.
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
    final = getattr(error, "retry", None) in {RetryEffect.AFTER_CORRECTION, RetryEffect.CANNOT_HELP}
    free = getattr(error, "bill", None) in {Bill.NOTHING_SPENT, Bill.NOTHING_RENDERED}
    ti.xcom_push(
        "failure",
        {
            "map_index": ti.map_index,
            "task": ti.task_id,
            "reason": redact(str(error or "it was killed"), longest=1000),
            # A scene that cannot be opened has to be fixed by the artist, like one without a
            # camera.
            "rejects": final and free and stage in {"upload", "validate"},
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
    from stages.decisions import frame_numbers, layers_of
    from stages.storage import join, local_copy, local_result

    folder = join(order["work"], "composite")
    preset = order["render"].get("colorManagementPreset", "default")
    with ExitStack() as stack:
        layers = {
            layer: stack.enter_context(local_copy(join(order["work"], layer, "frames"))) for layer in layers_of(order)
        }
        result = stack.enter_context(local_result(folder))
        with no_use_to_retry(order["shot"], _repair(order)):
            found = composite_layers(
                layers, frame_numbers(decision["frames"]), result, preset=preset, blends=order.get("blends")
            )
    return found | {"folder": folder}


@task
def deliver(order: dict[str, Any], decision: dict[str, Any], composited: dict[str, Any]) -> dict[str, Any]:
    """Publish movie, frames, contact sheet and manifest, all or nothing; see `stages.delivery`."""
    from stages.delivery import deliver as deliver_shot
    from stages.storage import local_copy

    with local_copy(composited["folder"]) as frames, no_use_to_retry(order["shot"], "Its frames are paid and kept"):
        return deliver_shot(order, decision, composited, Path(frames))


def _repair(order: dict[str, Any]) -> str:
    return (
        "What was rendered is paid and kept. Next: Trigger renderjuice_rerender_failed with date "
        f"{order['night']}, which renders only what is missing."
    )
