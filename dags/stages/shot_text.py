"""The text of a shot list, parsed, with the line of everything in it.

YAML and JSON come from people, so limits are checked before anything is made of the text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stages.shot_models import ShotList

Model = TypeVar("Model", bound=BaseModel)
LONGEST = 1 << 20
"""Bytes of a list: some thousand shots. A night has some hundred, and YAML is read slowly."""
DEEPEST = 16
"""Levels of nested lists and settings. A shot's settings have six."""
MOST_VALUES = 100_000
"""Values in a list. An alias counts as all that it stands for: nine lines of aliases can stand for
a billion values."""
_NO_NAME = "cannot be a name: write at most 100 letters, digits, `_`, `-` and `.`, a letter or digit first"
_HOW_TO_RAISE = " (the limit is {} in stages.shot_text)"


@dataclass(frozen=True)
class Problem:
    """A mistake in a list. `shot` is None when it concerns the list as a whole."""

    line: int
    message: str
    shot: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {f'shot {self.shot!r}: ' if self.shot else ''}{self.message}"


class NotYamlError(ValueError):
    """The text is not a list that can be read. `line` is where.

    Args:
        error: of the YAML library, or a sentence.
    """

    def __init__(self, error: Any) -> None:
        mark = getattr(error, "problem_mark", None)
        super().__init__(getattr(error, "problem", None) or str(error))
        self.line = mark.line + 1 if mark else 1


def _text_loader() -> Any:
    """A YAML loader that keeps everything as text. The models say what is a number.

    YAML 1.1 reads 8 from `0010`, 84 from `1:24`, 1.1 from `1.10`, False from `no` and a date from
    `2026-11-23`.
    """
    import yaml

    class TextLoader(yaml.SafeLoader):
        depth = values = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Count and check before anything is made of it."""
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            before = self.values
            self.depth += 1
            self.values += 1
            if self.depth > DEEPEST:
                raise self.refusal(f"lists and settings lie more than {DEEPEST} deep in each other", "DEEPEST", event)
            node = super().compose_node(parent, index)
            if isinstance(event, yaml.AliasEvent):
                if node not in self.weights:
                    raise self.refusal(f"*{event.anchor} stands inside what it stands for", "", event)
                self.values += self.weights[node]
            if self.values > MOST_VALUES:
                raise self.refusal(
                    f"it holds more than {MOST_VALUES} values, with what its aliases stand for", "MOST_VALUES", event
                )
            self.weights.setdefault(node, self.values - before)
            self.depth -= 1
            return node

        def refusal(self, what: str, limit: str, event: Any) -> Exception:
            raised = _HOW_TO_RAISE.format(limit) if limit else ""
            return yaml.MarkedYAMLError(problem=what + raised, problem_mark=event.start_mark)

        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self.weights: dict[Any, int] = {}

    TextLoader.yaml_implicit_resolvers = {}
    TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    TextLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("<<$"), ["<"])
    return TextLoader


class ShotText:
    """A parsed list that knows the line of everything in it."""

    def __init__(self, text: str) -> None:
        import yaml

        if len(text) > LONGEST:
            raise NotYamlError(
                f"it is longer than {LONGEST >> 10} KiB. Make it several lists{_HOW_TO_RAISE.format('LONGEST')}"
            )
        # A tab is white space in JSON and an error in YAML. Inside a JSON text it is written as \t.
        text_of_yaml = text.replace("\t", "  ") if text.lstrip().startswith("{") else text
        try:
            loader = _text_loader()(text_of_yaml)  # refuses characters that YAML does not allow
        except yaml.YAMLError as error:
            raise NotYamlError(error) from error
        try:
            node = loader.get_single_node()
            self._lines: dict[tuple[Any, ...], int] = {}
            self._repeated: list[tuple[tuple[Any, ...], int]] = []
            self._walk(node, ())
            self.data: Any = loader.construct_document(node) if node is not None else None
        except (yaml.YAMLError, RecursionError) as error:
            raise NotYamlError(error) from error
        finally:
            loader.dispose()
        self._strict = False
        with suppress(ValueError):  # in JSON, only numbers are numbers
            self.data, self._strict = json.loads(text), True

    def _walk(self, node: Any, path: tuple[Any, ...]) -> None:
        import yaml

        self._lines.setdefault(path, node.start_mark.line + 1 if node is not None else 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._walk(item, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = (*path, str(key.value))
                if place in self._lines:
                    self._repeated.append((place, key.start_mark.line + 1))
                self._lines[place] = key.start_mark.line + 1
                self._walk(value, place)

    def line(self, *path: Any) -> int:
        """The line of `path`, or of what is around it."""
        while path not in self._lines and path:
            path = path[:-1]
        return self._lines.get(path, 1)

    def name(self, index: int) -> str:
        """A shot's name in messages. Without a name it is its position."""
        raw = self.shots[index]
        name = raw.get("name") if isinstance(raw, dict) else None
        return str(name) if name else f"#{index + 1}"

    def repeated_keys(self) -> Iterator[Problem]:
        """Keys that are written twice. YAML would silently take the last."""
        for path, line in self._repeated:
            yield Problem(line, f"{path[-1]!r} is written twice", self._shot(path))

    def files(self) -> Iterator[tuple[tuple[Any, ...], str, str]]:
        """Every file that is named: its path in the list, its shot, and its name."""
        places: list[tuple[Any, ...]] = [("shots", index, "file") for index in range(len(self.shots))]
        for index, layers in self.layers():
            for layer, scene in layers.items():
                place = ("shots", index, "layers", layer)
                places.append((*place, "file") if isinstance(scene, dict) else place)
        for place in places:
            file = self._at(*place)
            if isinstance(file, str) and file:
                yield place, self.name(place[1]), file

    def layers(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The layers of each shot that has some, as they are written, with the shot's position."""
        for index in range(len(self.shots)):
            layers = self._at("shots", index, "layers")
            if isinstance(layers, dict):
                yield index, {layer: scene for layer, scene in layers.items() if isinstance(layer, str)}

    @property
    def order(self) -> list[str] | None:
        """The list's own `layers`; None when it has none, or they are not names."""
        order = self._at("layers")
        names = isinstance(order, list) and all(isinstance(name, str) for name in order)
        return order if names else None

    def _at(self, *path: Any) -> Any:
        """What is written at `path`; None when nothing is."""
        found = self.data
        for key in path:
            try:
                found = found[key]
            except (TypeError, KeyError, IndexError):
                return None
        return found

    @property
    def shots(self) -> list[Any]:
        """The shots as they are written; empty when `shots` is not a list."""
        shots = self.data.get("shots") if isinstance(self.data, dict) else None
        return shots if isinstance(shots, list) else []

    def read(self, model: type[Model], data: Any) -> Model:
        """`data` as `model`. In YAML, texts may become numbers, `true` and `false`."""
        return model.model_validate(data, strict=self._strict)

    def check(self) -> Iterator[Problem]:
        """Mistakes that the models find, and names that are used twice."""
        try:
            self.read(ShotList, self.data)
        except ValidationError as error:
            for detail in error.errors():
                yield Problem(self.line(*detail["loc"]), _sentence(detail), self._shot(detail["loc"]))
        names = [self.name(index) for index in range(len(self.shots))]
        often, folders = Counter(names), Counter(map(str.casefold, names))
        for index, name in enumerate(names):
            if folders[name.casefold()] > 1:  # on many shares `FX` and `fx` are one folder
                message = "another shot has the same name" + (", but for capitals" if often[name] == 1 else "")
                yield Problem(self.line("shots", index, "name"), message, name)

    def _shot(self, path: tuple[Any, ...]) -> str | None:
        inside = len(path) > 1 and path[0] == "shots" and isinstance(path[1], int)
        return self.name(path[1]) if inside else None


def _sentence(detail: Any) -> str:
    path = detail["loc"][2:] if len(detail["loc"]) > 1 and detail["loc"][0] == "shots" else detail["loc"]
    field = ".".join(map(str, path))
    if path[-1:] == ("[key]",):
        return f"{'.'.join(path[:-2])}: {path[-2]!r} {_NO_NAME}"
    if detail["type"] == "string_pattern_mismatch":
        return f"{field}: {detail['input']!r} {_NO_NAME}"
    if detail["type"] in {"dict_type", "model_type"}:
        return f"{f'{field}: ' if field else ''}write it as a mapping, with `key: value`"
    if detail["type"] == "extra_forbidden":
        return f"unknown key {field!r}"
    if detail["type"] == "missing":
        return f"{field!r} is missing"
    message = detail["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    message = message[:1].lower() + message[1:]
    return message if not field or detail["type"] == "value_error" else f"{field}: {message}"
