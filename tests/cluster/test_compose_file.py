"""docker-compose.yaml: a valid file, without a secret, that keeps running what it starts."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from proofs.cluster.compose import Service, load, resolve
from renderjuice_provider.api.client import RenderjuiceClient

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yaml"
TEXT = FILE.read_text()
RAW = yaml.safe_load(TEXT)
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match("[A-Z]", line)
)
REQUIRED = set(re.findall(r"\$\{(\w+):\?", TEXT))
VARIABLES = dict.fromkeys(REQUIRED, "made-up") | {
    "RENDERJUICE_API_KEY": "RJ-made-up",
    "COMPOSE_PROFILES": "emulator",
}
SERVICES = load(FILE, VARIABLES)
LASTING = [service for name, service in SERVICES.items() if name != "airflow-init"]
SECRET_NAMES = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|AUTH\b|TRACKER")


def schema() -> dict[str, object]:
    """The Compose Specification's own, as the package check-jsonschema carries it."""
    return json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())


@pytest.mark.parametrize("document", [RAW, resolve(RAW, VARIABLES)], ids=["as written", "with variables put in"])
def test_the_file_is_valid_by_the_compose_specification(document):
    jsonschema.validate(document, schema())


def test_the_schema_would_notice_a_mistake():
    mistaken = yaml.safe_load(TEXT)
    mistaken["services"]["redis"]["healthchek"] = {}
    with pytest.raises(jsonschema.ValidationError, match="healthchek"):
        jsonschema.validate(mistaken, schema())


def test_every_secret_comes_from_the_environment():
    written = {
        (name, key): str(value)
        for name, service in RAW["services"].items()
        for key, value in (service.get("environment") or {}).items()
        if SECRET_NAMES.search(key) and not key.endswith("_FILE")
    }
    assert len(written) > 10
    for place, value in written.items():
        assert re.fullmatch(r"\$\{\w+:(\?[^}]*|-)\}", value), place  # required, or nothing by default


def test_no_address_or_connection_has_a_password_written_into_it():
    passwords = re.findall(r"://[\w-]*:([^@/\s]+)@", TEXT) + re.findall(r'"password": "([^"]*)"', TEXT)
    assert len(passwords) == 4
    assert all(re.fullmatch(r"\$\{\w+:\?\}", password) for password in passwords)
    assert "RJ-" not in TEXT


def test_the_file_does_not_start_without_a_secret():
    for name in REQUIRED:
        with pytest.raises(ValueError, match=f"{name} is required"):
            load(FILE, VARIABLES | {name: ""})


def test_the_example_environment_has_every_variable_and_no_secret():
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT)) | {"COMPOSE_PROFILES"}
    assert set(EXAMPLE) == used
    filled = {name: value for name, value in EXAMPLE.items() if value}
    assert filled == {"COMPOSE_PROFILES": "emulator", "RENDERJUICE_ALLOW_HTTP": "true"}


def test_plain_http_is_allowed_for_the_emulator_alone():
    def extra(**variables: str) -> dict[str, object]:
        service = load(FILE, VARIABLES | variables)["airflow-worker"]
        return json.loads(service.environment["AIRFLOW_CONN_RENDERJUICE_DEFAULT"])["extra"]

    assert extra() == {"allow_http": False}
    assert extra(RENDERJUICE_ALLOW_HTTP=EXAMPLE["RENDERJUICE_ALLOW_HTTP"]) == {"allow_http": True}


@pytest.mark.parametrize("name", RAW["services"])
def test_a_container_has_no_privileges_and_cannot_take_the_whole_machine(name):
    service = RAW["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service.get("user", "root") != "root"


def test_no_secret_is_an_argument_that_others_on_the_machine_can_see():
    secrets = {name: f"planted-{name}" for name in REQUIRED} | {"EMULATOR_CONTROL_TOKEN": "planted-token"}
    for service in load(FILE, VARIABLES | secrets).values():
        assert "planted-" not in " ".join(service.command), service.name


def test_images_are_of_one_exact_version():
    for service in SERVICES.values():
        assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", service.image), service.image


@pytest.mark.parametrize("service", LASTING, ids=lambda service: service.name)
def test_a_service_has_a_health_check_and_is_started_again(service: Service):
    assert service.healthcheck
    assert service.restart == "unless-stopped"


def test_the_service_that_prepares_the_database_runs_once():
    assert SERVICES["airflow-init"].restart == "no"


def test_there_are_two_workers_and_two_triggerers_or_as_many_as_wanted():
    assert (SERVICES["airflow-worker"].replicas, SERVICES["airflow-triggerer"].replicas) == (2, 2)
    assert load(FILE, VARIABLES | {"AIRFLOW_WORKERS": "5"})["airflow-worker"].replicas == 5


def test_every_airflow_service_waits_for_the_database_and_its_migration():
    for service in LASTING:
        if service.name.startswith("airflow-"):
            assert service.depends_on["postgres"] == "service_healthy"
            assert service.depends_on["airflow-init"] == "service_completed_successfully"


def test_without_the_profile_there_is_no_emulator():
    assert "emulator" not in load(FILE, VARIABLES | {"COMPOSE_PROFILES": ""})


def test_no_more_tasks_are_queued_than_the_workers_have_slots():
    """Else a task that waits for a slot would count as lost, and fail after two times."""
    worker = SERVICES["airflow-worker"]
    slots = worker.replicas * int(worker.environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    assert int(worker.environment["AIRFLOW__CORE__PARALLELISM"]) == slots


def test_the_connection_is_one_that_the_client_accepts():
    connection = json.loads(SERVICES["airflow-worker"].environment["AIRFLOW_CONN_RENDERJUICE_DEFAULT"])
    assert connection["host"] == "http://emulator:8787/api/external/v1"
    with RenderjuiceClient(connection["password"], connection["host"], allow_http=True):
        pass


def test_the_pool_of_the_dags_is_made_and_counts_deferred_renders():
    script = SERVICES["airflow-init"].command[-1]
    assert re.search(r'airflow pools set "\$RENDERJUICE_POOL" "\$RENDERJUICE_RENDERS" .* --include-deferred', script)
    assert {service.environment.get("RENDERJUICE_POOL") for name, service in SERVICES.items() if "airflow" in name} == {
        "renderjuice"
    }


def test_every_setting_is_one_that_airflow_knows():
    from airflow.configuration import retrieve_configuration_description

    known = retrieve_configuration_description(include_providers=True)
    settings = {key for service in SERVICES.values() for key in service.environment if key.startswith("AIRFLOW__")}
    assert settings
    for setting in settings:
        section, option = setting.removeprefix("AIRFLOW__").lower().split("__")
        assert option in known[section]["options"], setting


def test_the_image_is_the_official_one_of_the_version_that_is_tested_here():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert f"ARG AIRFLOW_VERSION={pins['apache-airflow']}\nFROM apache/airflow:${{AIRFLOW_VERSION}}\n" in dockerfile
    assert SERVICES["airflow-worker"].image.endswith(f":{pins['apache-airflow']}")
