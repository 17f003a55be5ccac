"""How people and Airflow write values.

A Jinja template renders to text, native rendering makes numbers of texts of digits.

Each function here returns what is meant where that is clear, and else the value as it is: what
checks it then refuses it.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d*)?([eE][+-]?\d{1,2})?")
_TEMPLATE = re.compile(r"\{\{|\{%")
DEEPEST = 32
"""Levels of lists and objects in a configuration: Renderjuice's own has three."""
_UNRENDERED = "a Jinja template that nobody has rendered: write render_config as a dict, not as a RenderConfig"


def is_template(value: Any) -> bool:
    """Whether it is a text that Jinja has yet to render."""
    return isinstance(value, str) and bool(_TEMPLATE.search(value))


def is_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Whether it has more levels than anybody means.

    What looks through it would come to Python's own limit.
    """
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return levels < 0 or any(is_deep(item, levels - 1) for item in items)


def number(value: Any) -> Any:
    """`"128"` as 128, and `128.0` likewise.

    Which of the two YAML, XComs or native rendering make of it is chance.
    """
    if is_template(value):
        raise ValueError(_UNRENDERED)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def flag(value: Any) -> Any:
    """`"true"` and `"False"` as what they say."""
    if is_template(value):
        raise ValueError(_UNRENDERED)
    known = {"true": True, "false": False}
    return known.get(value.strip().lower(), value) if isinstance(value, str) else value


def text(value: Any) -> Any:
    """A text.

    What a template made of a missing value is refused, since it would be sent as a word.
    """
    if isinstance(value, str) and value.strip() == "None":
        raise ValueError("a template has made the text 'None' of a value that is missing: leave the field out")
    return value


def digits(value: Any) -> Any:
    """A whole number as text: native rendering makes 16 of `"16"`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def words(value: Any) -> Any:
    """Free text: native rendering may have made anything of it."""
    return value if value is None or isinstance(value, str) else str(value)


def frame_texts(value: Any) -> Any:
    """Frame ranges as a list of texts: from `7`, `[7]`, `"1-3"`, `"1-3, 7"`, or a list as JSON."""
    value = parsed(value)
    if isinstance(value, str):
        value = value.split(",")
    parts = value if isinstance(value, (list, tuple)) else [value]
    flat = [part for item in parts for part in (item if isinstance(item, (list, tuple)) else [item])]
    return [part.strip() if isinstance(part, str) else digits(part) for part in flat]


def sizes(value: Any) -> Any:
    """`[width, height]`: also a tuple, and the texts `"1920x1080"` and `"[1920, 1080]"`."""
    value = parsed(value)
    if isinstance(value, str):
        value = re.split("[x,]", value)
    return list(value) if isinstance(value, tuple) else value


def parsed(value: Any) -> Any:
    """The list or object that a text holds, as JSON or as Python writes it."""
    if not isinstance(value, str) or not value.strip().startswith(("{", "[")) or is_template(value):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # Python's doubts about `1if`
                return read(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value
