"""The OpenAPI description of the documented API."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_ABOUT = """\
The external API of Renderjuice as its public pages describe it, served by an emulator.

Paths, bodies, required fields and the answer 200 are documented. Bodies of errors and of progress, the answers of
validate and cancel, and members of enumerations beyond the first are not: here they are what the emulator assumes.
"""
_REPLAY = {
    "description": "`true` when the render had been started before, and this request started nothing.",
    "schema": {"type": "string", "enum": ["true"]},
}


def description(app: FastAPI) -> dict[str, Any]:
    """The description, made once: FastAPI's, without what only FastAPI says."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(title="Renderjuice external API, emulated", version="1", description=_ABOUT, routes=app.routes)
    for path in schema["paths"].values():
        for operation in path.values():
            # Here a body that does not fit is answered 400, as the lifecycle page says of render.
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    render = next(path for name, path in schema["paths"].items() if name.endswith("/render"))
    render["post"]["responses"]["200"]["headers"] = {"X-Idempotent-Replay": _REPLAY}
    app.openapi_schema = _without_titles(schema)
    return app.openapi_schema


def _without_titles(node: Any) -> Any:
    """Drop the titles that pydantic makes of names, such as `Colormanagementpreset`."""
    if isinstance(node, dict):
        return {key: _without_titles(value) for key, value in node.items() if key != "title" or "version" in node}
    return [_without_titles(item) for item in node] if isinstance(node, list) else node
