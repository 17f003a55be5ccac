"""Which texts of a task are templates: those that stand in the DAG file, and no others.

Airflow renders what `expand_kwargs` takes from an XCom as if the author had written it, and what
`expand` takes from one as soon as an operator has made another object of it. The name of a file
would run as a template then: as code that reads every connection.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from renderjuice_provider._arguments import is_reference

if TYPE_CHECKING:
    _Base = BaseOperator
else:
    _Base = object


class OnlyWrittenTemplates(_Base):
    """For operators and sensors: what arrived by mapping over an XCom stays the text that it is.

    What `partial` says, a default, and a literal in `expand` or `expand_kwargs` are the author's,
    and rendered as by Airflow. What an XComArg stands for Airflow itself leaves alone, wherever in
    an argument it is.

    Where such a value came under a name of a subclass's own, nobody knows what that has made of it.
    Then only those template fields are rendered that the author has given by their names.
    """

    is_rendered = False
    """Whether Airflow has begun to render: what is set from then on is not a template any more,
    even if it resembles one."""
    _left_alone: frozenset[str] = frozenset()

    def __new__(cls, **arguments: Any) -> Any:
        """As for every operator. Airflow says only here which arguments it has mapped."""
        operator = super().__new__(cls)
        if arguments.get("_airflow_from_mapped"):
            operator.__dict__["_left_alone"] = _fields_to_leave_alone(cls.template_fields, arguments)
        return operator

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """As for every operator, but for the fields that have arrived."""
        self.is_rendered = True
        if any(content is getattr(self, name) for name in self._left_alone):
            return content
        if is_reference(content):
            seen_oids = None  # in a literal of expand_kwargs Airflow takes an XComArg for what it stands for
        return super().render_template(content, context, jinja_env, seen_oids)


def _fields_to_leave_alone(fields: Any, arguments: Mapping[str, Any]) -> frozenset[str]:
    """The template fields that hold, or may hold, what a mapped task got from an XCom.

    Args:
        fields: the template fields of the operator.
        arguments: what Airflow makes the mapped task's operator with, by name.
    """
    dag = arguments.get("dag")
    mapped = dag.task_dict.get(arguments["task_id"]) if dag else None
    if mapped is None:  # outside a DAG this is unknown, and nothing is run
        return frozenset(fields)
    written = {name for name, value in arguments.items() if _is_written(name, value, mapped)}
    arrived = arguments.keys() - written - {"_airflow_from_mapped"}
    if arrived - set(fields) - _airflows_own():
        return frozenset(fields) - written
    return frozenset(fields) & arrived


def _is_written(name: str, value: Any, mapped: Any) -> bool:
    if name in mapped.partial_kwargs and mapped.partial_kwargs[name] is value:
        return True
    source = mapped.expand_input.value
    if isinstance(source, Mapping):  # expand(): a list, a dict or an XComArg for each argument
        return name in source and not is_reference(source[name])
    # expand_kwargs(): an XComArg, or a list of dicts and XComArgs
    return not is_reference(source) and any(isinstance(one, Mapping) and one.get(name) is value for one in source)


@cache
def _airflows_own() -> frozenset[str]:
    """The arguments that all operators have, such as `pool`: none is a template field."""
    return frozenset(inspect.signature(BaseOperator.__init__).parameters)
