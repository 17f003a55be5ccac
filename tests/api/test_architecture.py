"""The shape of the house: imports run one way, and the API part needs no Airflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import renderjuice_provider

ROOT = Path(renderjuice_provider.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
BELOW = {"hooks", "lifecycle", "frames", "storage", "api", "compat", "_task_state"}
TASKS = {"_arguments", "_operator_arguments", "_templates", "_deferral", "_job_errors", "_left_reason"}
"""What operators and sensors share."""
MAY_IMPORT = {
    "api": set(),
    "lifecycle": {"api", "frames"},
    "frames": {"_frame_names"},
    "_frame_names": set(),
    "storage": {"api"},
    # What of Airflow differs between its versions, and what it knows of a task: for every room but
    # the two without Airflow.
    "compat": set(),
    "_task_state": {"compat", "lifecycle"},
    "assets": {"api", "lifecycle"},
    "hooks": BELOW,
    "triggers": {"_metrics"} | BELOW,
    "_row_id": set(),
    "_variable_rows": set(),
    "_metrics": set(),
    "lineage": {"api", "hooks"},
    "plugin": BELOW | {"_arguments", "_metrics", "_variable_rows", "links", "wall", "xcom_keys"},
    "wall": BELOW | {"_row_id", "_variable_rows", "xcom_keys"},
    "links": BELOW | {"_row_id"},
    "notifications": {"api", "compat", "frames", "links", "xcom_keys"},
    "_retry_decision": {"api"},
    "retry_policy": {"_retry_decision"},
    "xcom_keys": set(),
    "_operator_arguments": set(),
    "_arguments": {"api"},
    "_templates": {"_arguments"},
    "_deferral": {"_arguments", "triggers"} | BELOW,
    "_job_errors": {"api", "compat"},
    "_left_reason": {"api", "compat", "xcom_keys"},
    "operators": {*TASKS, "_frame_names", "_metrics", "lineage", "links", "triggers", "xcom_keys"} | BELOW,
    "sensors": {*TASKS, "_metrics", "links", "triggers"} | BELOW,
}
WITHOUT_AIRFLOW = ("renderjuice_provider.api", "renderjuice_provider.lifecycle")


def room(module):
    """The part of the house a module is in; "" for the hall, which only knows names."""
    return module.partition(".")[2].partition(".")[0]


def imports(module):
    path = ROOT.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            # `from renderjuice_provider.api import errors` names a module, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in MAY_IMPORT])
def test_imports_run_one_way(module):
    allowed = MAY_IMPORT[room(module)] | {room(module), "", "__version__"}
    ours = {name for name in imports(module) if name.partition(".")[0] == "renderjuice_provider"}
    assert {name for name in ours if room(name) not in allowed} == set()


@pytest.mark.parametrize("module", MODULES)
def test_the_provider_never_imports_the_emulator(module):
    assert not [name for name in imports(module) if name.startswith("renderjuice_emulator")]


def test_every_room_is_checked():
    assert {room(module) for module in MODULES} == {"", "provider_info", *MAY_IMPORT}
    assert len([module for module in MODULES if module.startswith(WITHOUT_AIRFLOW)]) > 15


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_api_and_waiting_work_without_airflow():
    modules = [module for module in MODULES if module.startswith(WITHOUT_AIRFLOW)]
    code = f"""
import sys

class NoAirflow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ImportError("there is no Airflow here")

sys.meta_path.insert(0, NoAirflow())
for module in {modules!r}:
    __import__(module)
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
RenderjuiceClient("RJ-key"), AsyncRenderjuiceClient("RJ-key")
print(sorted(name for name in sys.modules if name.partition(".")[0] == "airflow"))
"""
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_importing_the_client_does_not_import_httpx():
    """Airflow parses DAG files again and again.

    What only a running task needs is imported by the task.
    """
    done = run_python("import sys, renderjuice_provider.api.client; print('httpx' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")
