"""The application behind the API's port: documented endpoints, their description, and the control routes."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from renderjuice_emulator import api, control
from renderjuice_emulator.answers import error_response
from renderjuice_emulator.emulation import Emulation
from renderjuice_emulator.farm import RefusalError
from renderjuice_emulator.openapi import description


def build_application(emulation: Emulation) -> FastAPI:
    """The application of one emulator."""
    app = FastAPI(docs_url=None, redoc_url=None, generate_unique_id_function=lambda route: route.name)
    app.state.emulation = emulation
    app.include_router(api.router)
    app.include_router(control.router)
    app.openapi = lambda: description(app)  # type: ignore[method-assign]

    def refuse(status: int, message: str) -> Response:
        return error_response(emulation.switches.error_shape, status, message)

    @app.exception_handler(RefusalError)
    async def refused(_: Request, error: RefusalError) -> Response:
        return refuse(error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return refuse(400, _explain(error))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        return error_response(emulation.switches.error_shape, error.status_code, error.detail, error.headers)

    return app


def _explain(error: RequestValidationError) -> str:
    """The problems in one line, without the values: `requestedRenderConfig.fps: Input should be greater than 0`."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}"
        for problem in error.errors()
    )
