"""A compose file's services as processes on this machine.

Started, tended and stopped as `docker compose` would.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from proofs.cluster.compose import Service
from proofs.cluster.containers import Container, containers
from tools.processes import Program, stop_sessions

_RESTART_AFTER = 1.0
"""Seconds. Docker begins with 0.1 and doubles it at each restart."""


class Cluster:
    """The services of a compose file.

    Use it as a context manager: at its end, nothing of it is left.

    Args:
        services: by name, each after all that it needs.
        run: a folder of its own; logs of the services go to `logs` there.
        log: gets a line for everything that happens.
    """

    def __init__(self, services: dict[str, Service], run: Path, log: Callable[[str], None]) -> None:
        self.services = services
        self.containers = containers(services.values(), run)
        self.restarts: dict[str, int] = {}
        self._run = run
        self._log = log
        self._programs: dict[str, Program] = {}
        self._completed: set[str] = set()
        self._tending = threading.Event()
        self._tender = threading.Thread(target=self._tend, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.down()

    def up(self) -> None:
        """Start everything in order, as `depends_on` says.

        Return when every service's health check is content.
        """
        for service in self.services.values():
            for needed, condition in service.depends_on.items():
                self._wait_for(needed, condition)
            for container in self._of(service.name):
                container.prepare()
                self._start(container)
        for service in self.services.values():
            self._wait_for(service.name, "service_healthy" if service.healthcheck else "service_completed_successfully")
        self._tending.set()
        self._tender.start()

    def down(self) -> None:
        """End everything."""
        self._tending.clear()
        if self._tender.is_alive():
            self._tender.join()
        needed = {other for service in self.services.values() for other in service.depends_on}
        for last in (False, True):  # what others need, such as the database, after them
            sessions = [
                program.pid
                for name, program in self._programs.items()
                if (self.containers[name].service.name in needed) == last
            ]
            stop_sessions(sessions)

    def kill(self, name: str) -> None:
        """SIGKILL for all processes of a container. What its restart policy says happens next."""
        self._programs[name].kill()

    def wait_until_healthy(self, name: str) -> None:
        """Return when the health check of a container is content."""
        container = self.containers[name]
        check = container.service.healthcheck
        assert check, f"{name} has no health check"
        deadline = time.monotonic() + check.start_period.total_seconds()
        while not container.is_healthy():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not become healthy; its log: {self._programs[name].log}")
            if not self._tending.is_set():
                self._programs[name].check()
            time.sleep(min(1.0, check.start_interval.total_seconds()))

    def address(self, service: str, port: int) -> str:
        """Where a port of a service is, such as `127.0.0.1:40123`."""
        return dict(self._of(service)[0].mapped)[f":{port}"]

    def _of(self, service: str) -> list[Container]:
        return [container for container in self.containers.values() if container.service.name == service]

    def _start(self, container: Container) -> None:
        log = self._run / "logs" / f"{container.name}.log"
        self._programs[container.name] = Program(container.name, container.command, log, container.environment)

    def _wait_for(self, service: str, condition: str) -> None:
        if service in self._completed:
            return
        for container in self._of(service):
            if condition == "service_healthy":
                self.wait_until_healthy(container.name)
            elif condition == "service_completed_successfully":
                self._wait_for_success(container.name)
            elif condition != "service_started":
                raise ValueError(f"no such condition: {condition}")
        self._completed.add(service)
        self._log(f"{service}: {condition.removeprefix('service_').replace('_', ' ')}")

    def _wait_for_success(self, name: str) -> None:
        program = self._programs[name]
        if program.process.wait(timeout=300):
            program.check()

    def _tend(self) -> None:
        """Start again what has ended, where the restart policy says so.

        `no` is the only other one that the file uses.
        """
        while self._tending.is_set():
            for name, program in list(self._programs.items()):
                restart = self.containers[name].service.restart in {"always", "unless-stopped"}
                if restart and program.process.poll() is not None:
                    time.sleep(_RESTART_AFTER)
                    if not self._tending.is_set():
                        return
                    self.restarts[name] = self.restarts.get(name, 0) + 1
                    self._log(f"{name}: started again, as its restart policy says")
                    self._start(self.containers[name])
            time.sleep(0.2)
