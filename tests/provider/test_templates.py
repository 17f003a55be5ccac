"""Only what stands in the DAG file is a template.

What comes from elsewhere stays the text that it is, in every field.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, ObjectStoragePath, TaskGroup, task_group

import renderjuice_provider.operators.renderjuice as operators
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceDownloadOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor

TRAP = "{{ trap() }}.blend"
"""What somebody may call a file. Rendering it would run code; here that is noted."""
LEAST = {"colorManagementPreset": "default"}
NEEDED = {
    "file_path": "shot.blend",
    "slug": "slug",
    "job_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "render_config": LEAST,
    "destination": "out",
}
ALL: list[Any] = [
    RenderjuiceJobSensor,
    *(each for each in vars(operators).values() if inspect.isclass(each) and issubclass(each, BaseOperator)),
]
FIELDS = [pytest.param(each, field, id=f"{each.__name__}.{field}") for each in ALL for field in each.template_fields]


class Trap:
    """A function for templates that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return 49


class TaskInstance:
    """One of a mapped task, which finds every XCom to be `returned`."""

    map_index = 0
    dag_id = "dag"

    def __init__(self, task: Any, returned: Any) -> None:
        self.task = task
        self.returned = returned

    def xcom_pull(self, **_: Any) -> Any:
        return json.loads(json.dumps(self.returned))  # as from the database: no object is one of the DAG file's

    def get_relevant_upstream_map_indexes(self, **_: Any) -> None:
        return None


class Night:
    """A DAG whose task `before` returns something.

    What takes it up is rendered as before each phase of a task.
    """

    def __init__(self, **arguments: Any) -> None:
        self.dag = DAG("dag", schedule=None, **arguments)
        self.trap = Trap()
        with self.dag:
            self.before = RenderjuiceUploadOperator(task_id="before", file_path="shot.blend").output

    def rendered(self, task_id: str, returned: Any) -> Any:
        """The operator that runs, when the task before has returned `returned`."""
        task = self.dag.get_task(task_id).prepare_for_execution()
        ti = TaskInstance(task, returned)
        context: Any = {
            "dag": self.dag, "dag_run": SimpleNamespace(conf={}), "ti": ti, "task": task, "params": {}, "trap": self.trap
        }  # fmt: skip
        task.render_template_fields(context)
        return context["task"]

    def outcome(self, task_id: str, returned: Any, field: str) -> str:
        """What the field holds then; or the error, where it can hold no such text."""
        try:
            return str(getattr(self.rendered(task_id, returned), field))
        except RenderjuiceInputError as error:
            return str(error)


def other_arguments(operator: Any, *fields: str) -> dict[str, Any]:
    taken = inspect.signature(operator.__init__).parameters.keys() | set(operator.template_fields)
    return {name: value for name, value in NEEDED.items() if name in taken and name not in fields}


def mapped_group(night: Night, operator: Any, field: str, expand: Any) -> None:
    with night.dag:

        @task_group(group_id="group")
        def group(value: Any) -> None:
            operator(task_id="it", **{field: value}, **other_arguments(operator, field))

        expand(group)


def expand(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        operator.partial(task_id="it", **other_arguments(operator, field)).expand(**{field: night.before})
    return "it", [TRAP]


def expand_kwargs(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        operator.partial(task_id="it", **other_arguments(operator, field)).expand_kwargs(night.before)
    return "it", [{field: TRAP}]


def expand_kwargs_in_place_of_what_partial_says(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        said = other_arguments(operator) | {field: "{{ 1 }}"}
        operator.partial(task_id="it", **said).expand_kwargs(night.before, strict=False)
    return "it", [{field: TRAP}]


def expand_kwargs_in_place_of_a_default(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag, TaskGroup("group", default_args={field: "{{ 1 }}"}):
        operator.partial(task_id="it", **other_arguments(operator, field)).expand_kwargs(night.before)
    return "group.it", [{field: TRAP}]


def expand_kwargs_over_a_list_of_xcoms(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        said = other_arguments(operator, field)
        operator.partial(task_id="it", **said).expand_kwargs([night.before, {field: "{{ 1 }}"}])
    return "it", {field: TRAP}


def an_xcom_in_a_literal_of_expand_kwargs(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        operator.partial(task_id="it", **other_arguments(operator, field)).expand_kwargs([{field: night.before}])
    return "it", TRAP


def an_xcom_in_a_literal_of_expand(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        operator.partial(task_id="it", **other_arguments(operator, field)).expand(**{field: [night.before]})
    return "it", TRAP


def a_mapped_task_group(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    mapped_group(night, operator, field, lambda group: group.expand(value=night.before))
    return "group.it", [TRAP]


def a_mapped_task_group_with_expand_kwargs(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    mapped_group(night, operator, field, lambda group: group.expand_kwargs(night.before))
    return "group.it", [{"value": TRAP}]


def an_xcom(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        operator(task_id="it", **{field: night.before}, **other_arguments(operator, field))
    return "it", TRAP


def an_xcom_in_a_template(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        said = {field: "{{ ti.xcom_pull(task_ids='before') }}"}
        operator(task_id="it", **said, **other_arguments(operator, field))
    return "it", TRAP


def expand_over_what_was_made_of_xcoms(night: Night, operator: Any, field: str) -> tuple[str, Any]:
    with night.dag:
        values = night.before.concat(night.before).map(str)
        operator.partial(task_id="it", **other_arguments(operator, field)).expand(**{field: values})
    return "it", [TRAP]


WAYS = [
    expand,
    expand_kwargs,
    expand_kwargs_in_place_of_what_partial_says,
    expand_kwargs_in_place_of_a_default,
    expand_kwargs_over_a_list_of_xcoms,
    an_xcom_in_a_literal_of_expand_kwargs,
    an_xcom_in_a_literal_of_expand,
    a_mapped_task_group,
    a_mapped_task_group_with_expand_kwargs,
    an_xcom,
    an_xcom_in_a_template,
    expand_over_what_was_made_of_xcoms,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("operator", "field"), FIELDS)
def test_what_arrives_is_not_a_template_in_any_field(operator, field, way):
    night = Night()
    task_id, returned = way(night, operator, field)
    assert TRAP in night.outcome(task_id, returned, field)
    assert night.trap.calls == 0


def written(night: Night, operator: Any, field: str, text: str) -> str:
    with night.dag:
        operator(task_id="it", **{field: text}, **other_arguments(operator, field))
    return "it"


def written_in_partial(night: Night, operator: Any, field: str, text: str) -> str:
    other = next(name for name in operator.template_fields if name != field)
    with night.dag:
        said = {field: text} | other_arguments(operator, field, other)
        operator.partial(task_id="it", **said).expand_kwargs(night.before)
    return "it"


def written_in_expand(night: Night, operator: Any, field: str, text: str) -> str:
    with night.dag:
        operator.partial(task_id="it", **other_arguments(operator, field)).expand(**{field: [text]})
    return "it"


def written_in_expand_kwargs(night: Night, operator: Any, field: str, text: str) -> str:
    with night.dag:
        said = other_arguments(operator, field)
        operator.partial(task_id="it", **said).expand_kwargs([{field: text}, night.before])
    return "it"


def written_in_the_defaults(night: Night, operator: Any, field: str, text: str) -> str:
    other = next(name for name in operator.template_fields if name != field)
    with night.dag, TaskGroup("group", default_args={field: text}):
        operator.partial(task_id="it", **other_arguments(operator, field, other)).expand_kwargs(night.before)
    return "group.it"


@pytest.mark.parametrize(
    "way",
    [written, written_in_partial, written_in_expand, written_in_expand_kwargs, written_in_the_defaults],
    ids=lambda way: way.__name__,
)
@pytest.mark.parametrize(("operator", "field"), FIELDS)
def test_what_the_dag_file_says_is_a_template_in_every_field(operator, field, way):
    night = Night()
    task_id = way(night, operator, field, "{{ trap() }}")
    other = next(name for name in operator.template_fields if name != field)
    assert "49" in night.outcome(task_id, [{other: NEEDED.get(other, "true")}], field)
    assert night.trap.calls == 1


@pytest.mark.parametrize("nested", [TRAP, [TRAP], {"name": TRAP}, [[TRAP], {"name": [TRAP]}]])
def test_what_is_nested_in_what_arrives_is_not_a_template(nested):
    config = LEAST | {"notes": nested}
    ways = [expand_kwargs, expand, an_xcom]
    for way, returned in zip(ways, ([{"render_config": config}], [config], config), strict=True):
        night = Night()
        task_id, _ = way(night, RenderjuiceRunJobOperator, "render_config")
        assert night.rendered(task_id, returned).render_config == config
        assert night.trap.calls == 0


def test_an_xcom_in_a_written_dict_is_not_a_template_while_its_neighbours_are():
    night = Night()
    with night.dag:
        config = LEAST | {"notes": [night.before], "frameRanges": ["1-{{ trap() }}"], "name": night.before}
        RenderjuiceRunJobOperator(task_id="it", file_path="a.blend", render_config=config)
    found = night.rendered("it", TRAP).render_config
    assert found == LEAST | {"notes": [TRAP], "frameRanges": ["1-49"], "name": TRAP}


@pytest.mark.parametrize(
    ("operator", "field", "returned", "make", "meant"),
    [
        (RenderjuiceUploadOperator, "file_path", TRAP, Path, TRAP),
        (RenderjuiceUploadOperator, "file_path", f"s3://studio/{TRAP}", ObjectStoragePath, f"s3://studio/{TRAP}"),
        (
            RenderjuiceRunJobOperator,
            "render_config",
            TRAP,
            lambda text: RenderConfig(color_management_preset="default", notes=text),
            LEAST | {"notes": TRAP},
        ),
        (RenderjuiceDownloadOperator, "expected_frames", TRAP, lambda text: [text], [TRAP]),
    ],
    ids=["path", "object storage path", "RenderConfig", "frames"],
)
def test_what_arrives_is_not_a_template_when_another_object_is_made_of_it(operator, field, returned, make, meant):
    night = Night()
    with night.dag:
        values = night.before.map(make)
        operator.partial(task_id="it", **other_arguments(operator, field)).expand(**{field: values})
    found = getattr(night.rendered("it", [returned]), field)
    assert (found if isinstance(found, (dict, list)) else str(found)) == meant
    assert night.trap.calls == 0


@pytest.mark.parametrize(
    "name", ["a{# b #}.blend", "{% set x = trap() %}a.blend", "a.blend\n", "{{ unclosed.blend", "[1, 2]"]
)
@pytest.mark.parametrize("native", [True, False])
def test_a_file_may_have_any_name(name, native):
    night = Night(render_template_as_native_obj=native)
    task_id, _ = expand_kwargs(night, RenderjuiceRunJobOperator, "file_path")
    assert night.rendered(task_id, [{"file_path": name}]).file_path == name


def test_a_map_index_template_shows_what_arrived_as_it_is():
    night = Night()
    with night.dag:
        RenderjuiceRunJobOperator.partial(
            task_id="it", render_config=LEAST, map_index_template="{{ task.file_path.rpartition('/')[2] }}"
        ).expand_kwargs(night.before)
    operator = night.rendered("it", [{"file_path": f"/shots/{TRAP}"}])
    shown = operator.get_template_env().from_string(operator.map_index_template).render(task=operator, trap=night.trap)
    assert (shown, night.trap.calls) == (TRAP, 0)


def test_a_template_may_quote_what_arrived():
    night = Night()
    with night.dag:
        RenderjuiceDownloadOperator.partial(
            task_id="it", destination="/out/{{ task.expected_frames[0] }}"
        ).expand_kwargs(night.before)
    arrived = [{"job_id": NEEDED["job_id"], "expected_frames": [TRAP]}]
    assert night.rendered("it", arrived).destination == f"/out/{TRAP}"
    assert night.trap.calls == 0


class StudioUploadOperator(RenderjuiceUploadOperator):
    """As studios write them: it takes a shot, and makes a path of it."""

    def __init__(self, *, shot: str, folder: str = "shots", **kwargs: Any) -> None:
        super().__init__(file_path=f"{folder}/{shot}", **kwargs)


def test_what_a_subclass_makes_of_what_arrived_is_not_a_template_while_other_fields_are():
    night = Night()
    with night.dag:
        StudioUploadOperator.partial(task_id="it", renderjuice_conn_id="{{ 'farm' }}").expand(shot=night.before)
    operator = night.rendered("it", [TRAP])
    assert (operator.file_path, operator.renderjuice_conn_id) == (f"shots/{TRAP}", "farm")
    assert night.trap.calls == 0


def test_what_a_subclass_makes_of_what_is_written_is_a_template():
    night = Night()
    with night.dag:
        StudioUploadOperator.partial(task_id="it", shot="{{ trap() }}", pool="p").expand(
            renderjuice_conn_id=night.before
        )
        StudioUploadOperator(task_id="alone", shot="{{ trap() }}")
    assert night.rendered("it", ["farm"]).file_path == "shots/49"
    assert night.rendered("alone", None).file_path == "shots/49"


def test_airflows_name_for_an_argument_of_ours_brings_no_template_in():
    night = Night()
    with night.dag:
        RenderjuiceJobSensor.partial(task_id="it", job_id=NEEDED["job_id"]).expand_kwargs(night.before)
    with pytest.raises(RenderjuiceInputError, match="poll_interval must be a number of seconds above 0"):
        night.rendered("it", [{"poke_interval": TRAP}]).execute({})
    assert night.trap.calls == 0


def test_a_value_may_arrive_beside_arguments_that_all_operators_have():
    night = Night()
    with night.dag:
        RenderjuiceJobSensor.partial(task_id="it", poke_interval="{{ trap() }}").expand_kwargs(night.before)
    operator = night.rendered("it", [{"job_id": NEEDED["job_id"], "pool": "farm"}])
    assert (operator.poll_interval, operator.pool) == (49.0, "farm")


def test_outside_a_dag_nothing_counts_as_written():
    mapped = RenderjuiceUploadOperator.partial(task_id="it").expand(file_path=["{{ trap() }}"])
    operator, trap = mapped.unmap({"file_path": TRAP}), Trap()
    path = operator.file_path  # type: ignore[attr-defined]
    assert operator.render_template(path, {"trap": trap}) == TRAP
    assert trap.calls == 0
