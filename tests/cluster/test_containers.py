"""How containers become processes: what is said in the file is found again, at another place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proofs.cluster.containers import containers, localized
from tests.cluster.test_compose_file import SERVICES

ADDRESSES = {"redis:6379": "127.0.0.1:50001", "postgres:5432": "127.0.0.1:50002"}
FOLDERS = {"/opt/airflow": Path("/run/home"), "/opt/airflow/dags": Path("/project/dags")}


@pytest.mark.parametrize(
    ("said", "here"),
    [
        ("redis://:secret@redis:6379/0", "redis://:secret@127.0.0.1:50001/0"),
        (
            "postgresql+psycopg2://airflow:secret@postgres:5432/airflow",
            "postgresql+psycopg2://airflow:secret@127.0.0.1:50002/airflow",
        ),
        ("my-redis:6379 and redis:63791", "my-redis:6379 and redis:63791"),
        ("--host 0.0.0.0 --port 8080", "--host 127.0.0.1 --port 50003"),
        ("http://localhost:8080/health", "http://localhost:50003/health"),
        ("18080 and key-8080-x", "18080 and key-8080-x"),
        ("/opt/airflow/dags/a.py", "/project/dags/a.py"),
        ('cat "/opt/airflow/passwords.json"', 'cat "/run/home/passwords.json"'),
        ("/mnt/opt/airflow and /opt/airflow2", "/mnt/opt/airflow and /opt/airflow2"),
    ],
)
def test_addresses_ports_and_folders_are_put_in(said, here):
    assert localized(said, ADDRESSES, {8080: 50003}, FOLDERS) == here


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_SECRET_OF_WHO_STARTS_IT", "x")
        run = tmp_path_factory.mktemp("run")
        return containers(SERVICES.values(), run, project=run)


def test_there_is_a_container_for_each_replica(found):
    assert [name for name in found if "worker" in name or "triggerer" in name] == [
        *("airflow-triggerer-1", "airflow-triggerer-2"),
        *("airflow-worker-1", "airflow-worker-2"),
    ]


def test_every_port_is_another(found):
    ports = [here for container in found.values() for said, here in container.mapped if said.startswith(":")]
    assert len(ports) == len(set(ports)) >= 6


def test_all_mean_the_same_services(found):
    database = dict(found["postgres"].mapped)[":5432"]
    emulator = dict(found["emulator"].mapped)[":8787"]
    for name in ("airflow-scheduler", "airflow-worker-1", "airflow-worker-2", "airflow-triggerer-2"):
        environment = found[name].environment
        assert f"@{database}/airflow" in environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert emulator in json.loads(environment["AIRFLOW_CONN_RENDERJUICE_DEFAULT"])["host"]


def test_a_container_has_its_own_home_and_name_and_shares_its_volumes(found):
    one, two = found["airflow-worker-1"], found["airflow-worker-2"]
    assert one.environment["AIRFLOW_HOME"] != two.environment["AIRFLOW_HOME"]
    assert (one.environment["HOSTNAME"], two.environment["HOSTNAME"]) == ("airflow-worker-1", "airflow-worker-2")
    for folder in ("dags", "logs"):
        homes = [Path(container.environment["AIRFLOW_HOME"]) for container in (one, two)]
        assert len({(home / folder).resolve() for home in homes}) == 1


def test_only_what_the_file_and_the_image_say_is_in_the_environment(found):
    said = SERVICES["airflow-worker"].environment.keys()
    own = {"AIRFLOW_HOME", "HOSTNAME", "HOME", "PATH", "LANG", "PYTHONPATH", "AIRFLOW__CORE__HOSTNAME_CALLABLE"}
    assert found["airflow-worker-1"].environment.keys() == said | own
