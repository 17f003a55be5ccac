"""What a compose file says.

Variables put in, services with their commands, environments, needs and health checks.

Pure: nothing is started here. Only what `docker-compose.yaml` uses is understood, and the rest is
refused by name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>[^}]*)\}|(?P<bad>))"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_KNOWN = {
    *("build", "command", "depends_on", "deploy", "environment", "expose", "healthcheck", "image", "ports", "profiles"),
    *("restart", "stop_grace_period", "user", "volumes"),
    *("cap_drop", "mem_limit", "pids_limit", "security_opt"),  # what a container may not do
}


class ComposeError(ValueError):
    """The file cannot be used, or a variable that it needs is missing."""


@dataclass(frozen=True)
class HealthCheck:
    """How a service is asked whether it is well, and how often while it starts."""

    command: list[str]
    timeout: timedelta
    start_interval: timedelta
    start_period: timedelta


@dataclass(frozen=True)
class Volume:
    """Something of the host at a path of the container: a folder, or a named volume."""

    source: str
    target: str
    named: bool


@dataclass(frozen=True)
class Service:
    """One service, with all variables put in."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    restart: str = "no"
    healthcheck: HealthCheck | None = None
    depends_on: dict[str, str] = field(default_factory=dict)
    """The condition by the service that has to meet it."""
    ports: list[int] = field(default_factory=list)
    """On which the container listens, exposed or published."""
    volumes: list[Volume] = field(default_factory=list)


def load(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """The services that `docker compose up` would start, each after all that it needs.

    Args:
        path: of the compose file.
        variables: for interpolation; `COMPOSE_PROFILES` chooses among services that have profiles.

    Raises:
        ComposeError: when a variable with `:?` is missing, or the file uses what is not understood
            here.
    """
    document = resolve(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    profiles = set(filter(None, variables.get("COMPOSE_PROFILES", "").split(",")))
    wanted = {
        name: service
        for name, service in document["services"].items()
        if not service.get("profiles") or profiles.intersection(service["profiles"])
    }
    services = {name: _service(name, said, document.get("volumes", {})) for name, said in wanted.items()}
    return {name: services[name] for name in _in_order(services)}


def resolve(node: Any, variables: Mapping[str, str]) -> Any:
    """A parsed file with all variables in its values put in, as Compose does."""
    if isinstance(node, str):
        return interpolate(node, variables)
    if isinstance(node, dict):
        return {key: resolve(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [resolve(value, variables) for value in node]
    return node


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables put in.

    `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}` and
    `${NAME?message}`, and `$$` for a dollar sign.

    Raises:
        ComposeError: when a variable is required and missing, or the text is none of these.
    """

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, rest = match["bare"] or match["braced"], match["rest"] or ""
        if name is None:
            raise ComposeError(f"invalid interpolation in {text!r}: write $$ for a dollar sign")
        given = variables.get(name)
        empty_counts = not rest.startswith(":")
        operator, rest = rest.removeprefix(":")[:1], rest.removeprefix(":")[1:]
        if operator not in {"", "-", "?"} or "${" in rest:
            raise ComposeError(f"interpolation that is not understood here: {match[0]}")
        if given or (given is not None and empty_counts):
            return given
        if operator == "?":
            raise ComposeError(f"{name} is required: {rest or 'set it in the environment or in .env'}")
        return rest

    return _VARIABLE.sub(value, text)


def _service(name: str, said: Mapping[str, Any], named_volumes: Mapping[str, Any]) -> Service:
    if unknown := said.keys() - _KNOWN:
        raise ComposeError(f"service {name}: {', '.join(sorted(unknown))}: not understood here")
    return Service(
        name=name,
        image=said["image"],
        command=_words(said["command"]),
        environment={key: _text(value) for key, value in (said.get("environment") or {}).items()},
        replicas=int(said.get("deploy", {}).get("replicas", 1)),
        restart=said.get("restart", "no"),
        healthcheck=_healthcheck(said["healthcheck"]) if "healthcheck" in said else None,
        depends_on={other: need["condition"] for other, need in (said.get("depends_on") or {}).items()},
        ports=[int(str(port).rpartition(":")[2]) for port in (*said.get("expose", ()), *said.get("ports", ()))],
        volumes=[_volume(text, named_volumes) for text in said.get("volumes") or ()],
    )


def _words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]


def _text(value: Any) -> str:
    if isinstance(value, bool):  # Compose refuses it, since nobody knows how it would be spelt
        raise ComposeError(f"an environment's value is {value}: put it into quotation marks")
    return "" if value is None else str(value)


def _volume(text: str, named: Mapping[str, Any]) -> Volume:
    source, target = text.split(":")[:2]
    return Volume(source, target, named=source in named)


def _healthcheck(said: Mapping[str, Any]) -> HealthCheck:
    test = said["test"]
    if isinstance(test, str):
        command = ["/bin/sh", "-c", test]
    elif test[0] == "CMD-SHELL":
        command = ["/bin/sh", "-c", *test[1:]]
    else:
        command = [str(word) for word in test[1:]]
    return HealthCheck(
        command,
        timeout=duration(said.get("timeout", "30s")),
        start_interval=duration(said.get("start_interval", "5s")),
        start_period=duration(said.get("start_period", "0s")),
    )


def duration(text: str) -> timedelta:
    """A duration such as `90s`, `3m` or `1h30m`."""
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise ComposeError(f"{text!r} is not a duration")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=rest)


def _in_order(services: Mapping[str, Service]) -> Iterable[str]:
    """Names, each after all that it depends on."""
    done: list[str] = []
    left = list(services)
    while left:
        ready = [name for name in left if set(services[name].depends_on) <= set(done)]
        if not ready:
            raise ComposeError(f"these need each other, or what is not there: {', '.join(left)}")
        done += ready
        left = [name for name in left if name not in ready]
    return done
