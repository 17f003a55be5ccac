"""The application behind the API's port: documented endpoints, their description, and the control routes."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from renderjuice_emulator import api
from renderjuice_emulator.answers import error_response
from renderjuice_emulator.emulation import Emulation
from renderjuice_emulator.farm import RefusalError


def build_application(emulation: Emulation) -> FastAPI:
    """The application of one emulator."""
    app = FastAPI(title="Renderjuice external API, emulated", docs_url=None, redoc_url=None)
    app.state.emulation = emulation
    app.include_router(api.router)

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
