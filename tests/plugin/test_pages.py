"""The wall's pages, as Airflow's web UI is given them, and the bundle that it loads for them."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ReactAppResponse

from renderjuice_provider.operators import renderjuice as operators
from renderjuice_provider.plugin import _pages
from renderjuice_provider.plugin._pages import BUNDLE, OUR_OPERATORS, react_apps
from renderjuice_provider.plugin.renderjuice import RenderjuicePlugin
from renderjuice_provider.sensors import renderjuice as sensors

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
MOST_BYTES = 60_000


def source_digest() -> str:
    """As `web/vite.config.ts` computes it."""
    digest = hashlib.sha256()
    names = ["package.json", "vite.config.ts", *(f"src/{path.name}" for path in sorted((WEB / "src").iterdir()))]
    for name in names:
        digest.update(f"{name}\0".encode() + (WEB / name).read_bytes() + b"\0")
    return digest.hexdigest()


@pytest.fixture
def apps() -> list[dict[str, Any]]:
    return RenderjuicePlugin().react_apps


def test_renders_are_in_the_navigation_of_a_run_and_of_a_task(apps: list[dict[str, Any]]) -> None:
    assert [(app["name"], app["destination"]) for app in apps] == [
        ("Renders", "nav"),
        ("Renders", "dag_run"),
        ("Render", "task_instance"),
    ]
    assert apps[0]["nav_top_level"] is True
    assert len({app["url_route"] for app in apps}) == 3, "Airflow drops an app whose route is taken"


def test_airflow_takes_every_app_as_it_is(apps: list[dict[str, Any]]) -> None:
    for app in apps:
        assert ReactAppResponse.model_validate(app).model_dump().items() >= app.items()


def test_no_app_is_above_every_page(apps: list[dict[str, Any]]) -> None:
    """`base` fails on Airflow 3.1, and takes all plugins of the page with it."""
    assert {app["destination"] for app in apps}.isdisjoint({"base", "dashboard"})


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("", "/renderjuice/"),
        ("http://airflow.example", "/renderjuice/"),
        ("https://airflow.example/studio/", "/studio/renderjuice/"),
    ],
)
def test_the_bundle_is_found_below_a_base_path(base_url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.1 and 3.2 import this address as it is; later ones resolve it."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    for app in react_apps():
        assert app["bundle_url"].startswith(f"{path}wall/static/wall.js?v=")


def test_an_icon_needs_no_address_and_is_seen_on_light_on_dark_and_where_its_page_is_open(
    apps: list[dict[str, Any]],
) -> None:
    for app in apps:
        assert app["icon"].startswith("data:image/svg+xml,")
        drawn = re.search("stroke%3D%22%23([0-9a-f]{6})", app["icon"])
        assert drawn is not None
        for background in ("ffffff", "18181b", "3a5a8a"):
            assert contrast(drawn[1], background) > 2.3


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_another_bundle_has_another_address(
    apps: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "wall.js"
    other.write_bytes(BUNDLE.read_bytes() + b"\n")
    monkeypatch.setattr(_pages, "BUNDLE", other)
    assert react_apps()[0]["bundle_url"] != apps[0]["bundle_url"]


def test_a_bundle_that_was_never_built_is_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pages, "BUNDLE", tmp_path / "wall.js")
    assert react_apps() == []


def test_the_tab_of_a_task_is_for_all_of_our_operators(apps: list[dict[str, Any]]) -> None:
    ours = {name for name in operators.__all__ if name.endswith("Operator")} | {
        name for name in sensors.__all__ if name.endswith("Sensor")
    }
    assert set(OUR_OPERATORS) == ours
    assert apps[2]["applies_to"] == {"operator_name": list(OUR_OPERATORS)}


def test_the_bundle_leaves_a_component_under_the_name_of_each_app(apps: list[dict[str, Any]]) -> None:
    """A module is evaluated once: the second app would find nothing under its name."""
    code = BUNDLE.read_text(encoding="utf-8")
    assert all(f"`{app['name']}`" in code for app in apps)


def test_the_bundle_is_small() -> None:
    assert BUNDLE.stat().st_size <= MOST_BYTES


def test_the_bundle_is_made_of_the_sources_that_are_there() -> None:
    first = BUNDLE.read_text(encoding="utf-8").split("\n", 1)[0]
    assert source_digest() in first, "The bundle is older than web: run `make web`"


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in (WEB / "package-lock.json").read_text(encoding="utf-8")


def test_the_wheel_carries_the_bundle() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert BUNDLE.relative_to(ROOT).parts[0] in build["targets"]["wheel"]["packages"]
    ignored = subprocess.run(["git", "check-ignore", "-q", str(BUNDLE)], cwd=ROOT, check=False).returncode
    assert ignored != 0, "hatch leaves out what git ignores"


def test_a_process_that_only_loads_its_plugins_reads_no_page() -> None:
    code = (
        "import sys; from renderjuice_provider.plugin.renderjuice import RenderjuicePlugin; RenderjuicePlugin()\n"
        "print('renderjuice_provider.plugin._pages' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "False"
