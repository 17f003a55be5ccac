"""A compose file's containers as processes of this machine.

What each of them would have for itself is mapped here, and only here.

| in a container | here |
| --- | --- |
| `service:port`, the address of another service | 127.0.0.1 and that instance's port here |
| a port that the service exposes, publishes or names | a free port, one for each instance |
| `0.0.0.0`, every interface of the container | 127.0.0.1 |
| the path of a bind mount | the host's folder |
| the path of a named volume | a folder of the run |
| the image's own folders and variables | `IMAGES`, in a folder of the instance |
| the host name: `HOSTNAME`, and what the system says | the instance's name |
| the image's user, and what its entrypoint does before the command | `IMAGES` |

Nothing else of the environment in which this is started is handed on. What is not reproduced: users
and permissions of files (postgres apart), read-only mounts, networks, limits.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proofs.cluster.compose import Service
from tools import postgres
from tools.processes import free_port

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Image:
    """What an image brings along besides the programs."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Its `ENV`, in terms of the container."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """Variables for what only a container can have."""
    programs: Callable[[], Path] = lambda: Path("/usr/bin")
    """Where its programs are, if not with all others."""
    folders: tuple[str, ...] = ()
    """Of the image itself, which each container has for itself."""
    prepare: Callable[[Mapping[str, str]], None] | None = None
    """What its entrypoint does before the command, given the environment."""
    user: Callable[[], list[str]] = list
    """A command before the command, which changes the user."""


IMAGES = {
    "postgres": Image(
        environment={"PGDATA": postgres.DATA},
        programs=postgres.programs,
        prepare=postgres.make_database,
        user=postgres.as_its_user,
    ),
    "redis": Image(),
    "renderjuice-airflow": Image(
        environment={"AIRFLOW_HOME": "/opt/airflow"},
        stand_ins={
            "PYTHONPATH": str(ROOT),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "proofs.cluster.containers.host_name",
        },
        programs=lambda: Path(sys.executable).parent,
        folders=("/opt/airflow",),
    ),
}
"""By the image's name without registry and tag."""


def host_name() -> str:
    """What a container's system would say; Airflow calls this instead of the system."""
    return os.environ["HOSTNAME"]


@dataclass(frozen=True)
class Container:
    """One instance of a service, ready to be started here."""

    name: str
    service: Service
    image: Image
    command: list[str]
    health_command: list[str]
    environment: dict[str, str]
    mapped: list[tuple[str, str]]
    """What was said, and what is here: ports and folders."""

    def prepare(self) -> None:
        """Do what the image's entrypoint does before the command."""
        if self.image.prepare:
            self.image.prepare(self.environment)

    def is_healthy(self) -> bool:
        """Whether the file's own health check is content."""
        check = self.service.healthcheck
        assert check, f"{self.name} has no health check"
        try:
            done = subprocess.run(
                self.health_command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=check.timeout.total_seconds(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def containers(services: Iterable[Service], run: Path, project: Path = ROOT) -> dict[str, Container]:
    """Every instance of every service, by name.

    Args:
        services: in the order in which they are started.
        run: a folder of its own, for named volumes and what containers have for themselves.
        project: where the compose file is: its relative paths begin there.
    """
    services = list(services)
    names = {service.name: _instances(service) for service in services}
    ports: dict[tuple[str, int], int] = {}
    for service in services:
        for name in names[service.name]:
            ports |= {(name, port): _another_port(ports.values()) for port in service.ports}
    addresses = {
        f"{service.name}:{port}": f"127.0.0.1:{ports[names[service.name][0], port]}"
        for service in services
        for port in service.ports
    }
    return {
        name: _container(name, service, addresses, {port: ports[name, port] for port in service.ports}, run, project)
        for service in services
        for name in names[service.name]
    }


def _instances(service: Service) -> list[str]:
    if service.replicas == 1:
        return [service.name]
    return [f"{service.name}-{number}" for number in range(1, service.replicas + 1)]


def _another_port(taken: Iterable[int]) -> int:
    while (port := free_port()) in taken:
        pass
    return port


def _container(
    name: str, service: Service, addresses: Mapping[str, str], ports: Mapping[int, int], run: Path, project: Path
) -> Container:
    image = IMAGES[service.image.rpartition("/")[2].partition(":")[0]]
    own = run / "containers" / name
    folders = {path: own / path.lstrip("/") for path in image.folders}
    for volume in service.volumes:
        folders[volume.target] = run / "volumes" / volume.source if volume.named else project / volume.source
    for folder in (own, *folders.values()):
        folder.mkdir(parents=True, exist_ok=True)
    for volume in service.volumes:  # Airflow finds some of them from its home, without a setting
        if volume.target.startswith(tuple(f"{path}/" for path in image.folders)):
            (own / volume.target.lstrip("/")).symlink_to(folders[volume.target])

    def here(text: str) -> str:
        return localized(text, addresses, ports, folders)

    said = {**image.environment, **service.environment}
    environment = {key: here(value) for key, value in said.items()}
    environment |= {
        "HOSTNAME": name,
        "HOME": str(own),
        "PATH": f"{image.programs()}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        **image.stand_ins,
    }
    return Container(
        name=name,
        service=service,
        image=image,
        command=[*image.user(), *map(here, service.command)],
        health_command=[here(word) for word in service.healthcheck.command] if service.healthcheck else [],
        environment=environment,
        mapped=[
            *((f":{port}", f"127.0.0.1:{mine}") for port, mine in ports.items()),
            *((path, str(folder)) for path, folder in folders.items()),
        ],
    )


def localized(text: str, addresses: Mapping[str, str], ports: Mapping[int, int], folders: Mapping[str, Path]) -> str:
    """A text of the file with this machine's addresses, ports and folders in it."""
    for address in sorted(addresses, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(address)}(?!\w)", addresses[address], text)
    for port, mine in ports.items():
        text = re.sub(rf"(?<![\w-]){port}(?![\w-])", str(mine), text)
    text = re.sub(r"(?<![\d.])0\.0\.0\.0(?![\d.])", "127.0.0.1", text)
    longest_first = "|".join(map(re.escape, sorted(folders, key=len, reverse=True)))
    if not longest_first:
        return text
    return re.sub(rf"(?<![\w./-])(?:{longest_first})(?![\w.-])", lambda found: str(folders[found[0]]), text)
