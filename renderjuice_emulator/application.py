"""The application behind the API's port: endpoints, their description, and controls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from renderjuice_emulator import api, control
from renderjuice_emulator.answers import JSONResponse, error_response
from renderjuice_emulator.farm import RefusalError
from renderjuice_emulator.openapi import description
from renderjuice_emulator.parts import EmulatorParts


@cache
def application() -> FastAPI:
    """The application, made once for every emulator of the process.

    It finds the parts of the emulator in the `scope` of the request.
    """
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        default_response_class=JSONResponse,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(api.router)
    app.include_router(control.router)
    app.openapi = lambda: description(app)  # type: ignore[method-assign]

    @app.exception_handler(RefusalError)
    async def refused(request: Request, error: RefusalError) -> Response:
        return _refuse(request, error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return _refuse(request, 400, _explain(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        return _refuse(request, error.status_code, error.detail, error.headers)

    return app


def _refuse(request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    parts: EmulatorParts = request.scope["parts"]
    return error_response(parts.switches.error_shape, status, message, headers)


def _explain(error: RequestValidationError) -> str:
    """The problems in one line, without the values.

    Such as `requestedRenderConfig.fps: Input should be greater than 0`.
    """
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}"
        for problem in error.errors()
    )
