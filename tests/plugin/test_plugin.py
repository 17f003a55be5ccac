"""Airflow finds the plugin by itself, and only its API server pays for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI

from renderjuice_provider.plugin.renderjuice import RenderjuicePlugin


def test_airflow_finds_the_plugin_at_its_entry_point() -> None:
    (found,) = [entry for entry in entry_points(group="airflow.plugins") if entry.name == "renderjuice"]
    assert found.load() is RenderjuicePlugin
    assert "AirflowPlugin" in [base.__name__ for base in RenderjuicePlugin.__mro__[1:]]
    assert AirflowPlugin.__name__ == "AirflowPlugin"


def test_the_app_is_mounted_where_renderjuice_sends_to() -> None:
    plugin = RenderjuicePlugin()
    (app,) = plugin.fastapi_apps
    assert app["url_prefix"] == "/renderjuice"
    assert isinstance(app["app"], FastAPI)
    assert plugin.fastapi_apps is plugin.fastapi_apps, "one app for all that ask, with one cache and one queue"


def test_a_process_that_only_loads_its_plugins_imports_no_web_framework() -> None:
    code = (
        "import sys, airflow.sdk, airflow.plugins_manager; before = set(sys.modules)\n"
        "from renderjuice_provider.plugin.renderjuice import RenderjuicePlugin; RenderjuicePlugin()\n"
        "print(sorted({'fastapi', 'starlette', 'renderjuice_provider.plugin._app'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
