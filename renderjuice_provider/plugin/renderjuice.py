"""What Airflow finds at the entry point `airflow.plugins`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # before Airflow 3.2
    from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]

__all__ = [
    "RenderjuicePlugin",
]


class RenderjuicePlugin(AirflowPlugin):
    """The render wall, and `POST /renderjuice/webhooks/<connection id>`, in Airflow's API server.

    Every process of Airflow loads its plugins; only the API server asks for the app and the pages,
    and so only it imports them.
    """

    name = "renderjuice"

    @cached_property
    def operator_extra_links(self) -> list[Any]:  # type: ignore[override]
        """The button `Render wall` on the tasks of our operators."""
        from renderjuice_provider.links.renderjuice import RenderjuiceWallLink

        return [RenderjuiceWallLink()]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, for this process."""
        from renderjuice_provider.plugin._app import make_app

        return [{"app": make_app(), "url_prefix": "/renderjuice", "name": "Renderjuice"}]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The pages of the render wall."""
        from renderjuice_provider.plugin._pages import react_apps

        return react_apps()
