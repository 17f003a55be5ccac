"""From a connection to a client, and the form that people fill in."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.providers_manager import ProvidersManager

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.provider_info import get_provider_info
from tests.support.runner import connect


def test_it_says_whether_the_key_is_accepted(emulator, monkeypatch):
    assert RenderjuiceHook().test_connection() == (True, "Renderjuice accepts the API key.")
    connect(monkeypatch, host=emulator.base_url, password="RJ-somebody-else")
    accepted, message = RenderjuiceHook().test_connection()
    assert not accepted
    assert "401" in message
    assert "somebody" not in message


def test_the_async_client_reads_the_same_connection(emulator):
    async def first_page():
        async with await RenderjuiceHook().get_async_client() as client:
            return [job async for job in client.list_jobs()]

    assert asyncio.run(first_page()) == []


def test_a_connection_written_as_a_uri_works_too(emulator, monkeypatch):
    address = emulator.base_url.partition("://")[2].partition("/")[0]
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", f"renderjuice://:{emulator.api_key}@{address}/http")
    assert RenderjuiceHook().test_connection()[0]


def test_without_a_host_it_is_renderjuices_own(monkeypatch):
    connect(monkeypatch, password="RJ-key")
    assert repr(RenderjuiceHook().client) == "RenderjuiceClient(base_url='https://api.renderjuice.com/api/external/v1')"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "no API key"),
        ({"password": "  "}, "no API key"),
        ({"password": "RJ-a b"}, "characters that no key has"),
        ({"password": "RJ-secret", "host": "ftp://farm"}, "not an http or https"),
        ({"password": "RJ-secret", "host": "http://farm.example"}, "plain http"),
        ({"password": "RJ-secret", "extra": {"timeout": "long"}}, "'timeout' must be a number"),
        ({"password": "RJ-secret", "extra": {"max_attempts": True}}, "'max_attempts' must be a whole number"),
        ({"password": "RJ-secret", "extra": {"allow_http": "perhaps"}}, "'allow_http' must be true or false"),
        ({"password": "RJ-secret", "extra": {"timeout": 0}}, "above 0"),
    ],
)
def test_a_connection_that_cannot_work_says_what_is_wrong_and_never_the_key(monkeypatch, fields, what):
    connect(monkeypatch, **fields)
    with pytest.raises(RenderjuiceInputError, match=what) as caught:
        _ = RenderjuiceHook().client
    assert "secret" not in str(caught.value)
    assert RenderjuiceHook().test_connection()[0] is False


def test_plain_http_to_another_machine_is_possible_when_the_connection_says_so(monkeypatch):
    connect(monkeypatch, password="RJ-key", host="http://farm.example", extra={"allow_http": True})
    assert "farm.example" in repr(RenderjuiceHook().client)


def test_what_airflow_reads_fits_airflows_schemas_and_names_things_that_exist():
    info = get_provider_info()
    folder = Path(airflow.__file__).parent
    for schema in ("provider_info.schema.json", "provider.yaml.schema.json"):
        jsonschema.validate(info, json.loads((folder / schema).read_text()) | {"required": ["name", "description"]})
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for module in (name for entry in info[kind] for name in entry["python-modules"]):
            importlib.import_module(module)
    for path in [*info["extra-links"], info["connection-types"][0]["hook-class-name"]]:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


@pytest.mark.slow
def test_reading_a_dag_file_imports_neither_triggers_nor_media_libraries():
    code = (
        "import sys, airflow.sdk; from airflow.sdk import BaseOperator; before = set(sys.modules)\n"
        "import renderjuice_provider.operators.renderjuice, renderjuice_provider.sensors.renderjuice\n"
        "heavy = {'airflow.triggers.base', 'OpenImageIO', 'av', 'numpy', 'fastapi', 'renderjuice_emulator'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.skipif(not hasattr(ProvidersManager, "_to_api_format"), reason="this Airflow's form shows no extras")
def test_the_form_shows_a_help_text_for_every_extra_and_hides_no_port():
    """As the web UI asks for it: `GET /ui/connections/hook_meta`."""
    form = next(form for form in HookMetaService.hook_meta_data() if form.connection_type == "renderjuice")
    webhooks = {"webhook_secret", "webhook_secret_previous", "webhook_poll_interval"}
    calls = {"timeout", "max_attempts", "max_transfers", "allow_http"}
    assert set(form.extra_fields) == calls | webhooks | {"rate", "currency"}
    for name, field in form.extra_fields.items():
        assert field["description"].endswith("."), name
        assert field["schema"]["title"], name
    fields = form.standard_fields
    assert fields.login.hidden
    assert fields.url_schema.hidden
    # Airflow's button compares the port that it sends with the stored one, and sends 0 for none.
    assert not fields.port.hidden
    assert "Test button" in fields.port.placeholder
