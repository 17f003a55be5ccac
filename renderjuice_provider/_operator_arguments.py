"""The arguments that operators and sensors have from Airflow, for the type checker alone.

Our constructors take them as `**kwargs: Unpack[OperatorArguments]`. A bare `**kwargs: Any` would
let a misspelt argument through: mypy and an IDE could not distinguish it from one of Airflow's.
Import this under `TYPE_CHECKING`; nothing needs it at run time.

What a later Airflow adds, or an older one lacks, mypy learns here; Airflow itself checks the names
again when it reads the DAG.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Required, TypeAlias, TypedDict

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context, TaskGroup
    from airflow.sdk.definitions.retry_policy import RetryPolicy
    from airflow.sdk.types import WeightRuleParam

    Callbacks: TypeAlias = Callable[[Context], None] | Collection[Callable[[Context], None]] | None
    ListedCallbacks: TypeAlias = Callable[[Context], None] | list[Callable[[Context], None]] | None


class OperatorArguments(TypedDict, total=False):
    """The arguments of Airflow's `BaseOperator`."""

    task_id: Required[str]
    owner: str
    email: str | Sequence[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    retry_policy: RetryPolicy | None
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    dag: DAG | None
    params: MutableMapping[str, Any] | None
    default_args: dict[str, Any] | None
    priority_weight: int
    weight_rule: WeightRuleParam
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Callbacks
    on_failure_callback: ListedCallbacks
    on_success_callback: Callbacks
    on_retry_callback: ListedCallbacks
    on_skipped_callback: Callbacks
    pre_execute: Callable[[Context], None] | None
    post_execute: Callable[[Context, Any], None] | None
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    multiple_outputs: bool
    inlets: Any | None
    outlets: Any | None
    task_group: TaskGroup | None
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class SensorArguments(OperatorArguments, total=False):
    """Those of Airflow's `BaseSensorOperator`.

    Without `poke_interval` and `timeout`, which our sensor declares itself.
    """

    soft_fail: bool
    mode: str
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool
