"""The pages that the render wall has in Airflow's web UI, as the UI's plugins are written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from renderjuice_provider.compat import conf

__all__ = [
    "BUNDLE",
    "OUR_OPERATORS",
    "react_apps",
]

BUNDLE = Path(__file__).parents[1] / "wall" / "static" / "wall.js"
"""What `make web` builds from `web`, and browsers load."""
OUR_OPERATORS = (
    "RenderjuiceCancelJobOperator",
    "RenderjuiceCreateJobOperator",
    "RenderjuiceDownloadOperator",
    "RenderjuiceJobSensor",
    "RenderjuiceRenderFramesOperator",
    "RenderjuiceRenderJobOperator",
    "RenderjuiceRunJobOperator",
    "RenderjuiceUploadOperator",
    "RenderjuiceValidateJobOperator",
)
"""By name: importing them takes a second that an API server can do without."""
_ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#ea7a17" stroke-width="1.8"'
    ' stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="9.5"/><circle cx="12" cy="12" r="6.6"/>'
    '<path d="M12 5.4v13.2M6.3 8.7l11.4 6.6M17.7 8.7L6.3 15.3"/></svg>'
)
"""A slice of an orange, which can be seen on light, on dark, and on the colour of the page that is
open. It is inside its address, since an older Airflow knows no other way."""


def react_apps() -> list[dict[str, Any]]:
    """A page of all renders, and the tabs of a DAG run and of a task instance; one bundle for all.

    The bundle's address begins with the path of `[api] base_url`: 3.3 and later would take one that
    is relative to it, but before that a browser imports the address as it is. Its digest is in it,
    so that browsers may keep what they have. Older versions of Airflow ignore the keys
    that they do not know: before 3.2 the page is in the menu of plugins, and before 3.4 the tab
    is on the task instances of other operators, too, and says there that it has nothing.

    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html

    Returns:
        As Airflow's `react_apps` are; none when the bundle was never built.
    """
    if not BUNDLE.is_file():
        return []
    base_path = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    digest = hashlib.sha256(BUNDLE.read_bytes()).hexdigest()[:16]
    shared = {
        "bundle_url": f"{base_path}/renderjuice/wall/static/wall.js?v={digest}",
        "icon": _ICON,
    }
    return [
        shared | {"name": "Renders", "url_route": "renders", "destination": "nav", "nav_top_level": True},
        shared | {"name": "Renders", "url_route": "renderjuice-run", "destination": "dag_run"},
        shared
        | {
            "name": "Render",
            "url_route": "renderjuice-task",
            "destination": "task_instance",
            "applies_to": {"operator_name": list(OUR_OPERATORS)},
        },
    ]
