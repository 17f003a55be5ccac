"""The wall's routes, below `/renderjuice/wall`: who asks for what, and every error as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.middleware import Middleware

from renderjuice_provider.api.redact import redact
from renderjuice_provider.wall._database import Window
from renderjuice_provider.wall._requests import RefusedRequestError, read_body
from renderjuice_provider.wall._safe_answers import SafeAnswers, error_response
from renderjuice_provider.wall._service import NotFoundError, Wall
from renderjuice_provider.wall.models import Act, Plan, WantedAction

if TYPE_CHECKING:
    from pydantic import BaseModel

    from renderjuice_provider.wall.facts import Farm, Steer

BUNDLE = Path(__file__).parent / "static" / "wall.js"
"""The web page, as `make web` builds it."""
MOST_HOURS = 24 * 14
_A_YEAR = "public, max-age=31536000, immutable"
"""Of an address that has the version of the bundle."""
_AN_HOUR = "private, max-age=3600"
"""Of a picture: its key stands for its content."""
_SENTENCES = {
    401: "You are not signed in any more: reload the page, and sign in to Airflow.",
    403: "Airflow does not take this sign-in: reload the page, and sign in again.",
    404: "There is no such page of the render wall.",
    405: "The render wall does not take this request here.",
}
_Text = Annotated[str | None, Query(max_length=250)]


def make_wall_app(farm: Farm, steer: Steer) -> FastAPI:
    """The app of the wall, without pages that describe it.

    Args:
        farm: what Renderjuice says of jobs.
        steer: what people do to rows.
    """
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[Middleware(SafeAnswers)],
    )
    wall = Wall(farm)
    _add_reads(app, wall)
    _add_actions(app, wall, steer)
    _add_errors(app)
    return app


def _add_reads(app: FastAPI, wall: Wall) -> None:
    @app.get("/night")
    async def night(
        user: GetUserDep,
        hours: Annotated[float, Query(gt=0, le=MOST_HOURS)] = 24,
        dag_id: _Text = None,
        run_id: _Text = None,
        task_id: _Text = None,
        map_index: int | None = None,
    ) -> Response:
        window = Window(None, dag_id, run_id, task_id, map_index)
        return Response(await wall.night(user, hours, window), media_type="application/json")

    @app.get("/rows/{row_id}")
    async def detail(user: GetUserDep, row_id: str) -> Response:
        return _json(await wall.detail(user, row_id))

    @app.get("/pictures/{key}")
    async def picture(user: GetUserDep, request: Request, key: str, size: Literal["256", "1024"] = "256") -> Response:
        found = await wall.picture(user, key, int(size))
        headers = {"ETag": f'"{found.etag}"', "Cache-Control": _AN_HOUR, "Vary": "Cookie, Authorization"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)

    @app.get("/static/wall.js")
    async def bundle(request: Request) -> Response:
        if not BUNDLE.is_file():
            raise NotFoundError("The page of the render wall is not built: run `make web`.")
        kept = _A_YEAR if request.query_params.get("v") else "no-cache"
        return FileResponse(BUNDLE, media_type="text/javascript", headers={"Cache-Control": kept})


def _add_actions(app: FastAPI, wall: Wall, steer: Steer) -> None:
    @app.post("/plan")
    async def plan(user: GetUserDep, request: Request) -> Response:
        wanted = await read_body(request, WantedAction)
        rows = await wall.rows(user, wanted.rows)
        return _json(await steer.plan(request, user, wanted, rows, await wall.look(rows)))

    @app.post("/act")
    async def act(user: GetUserDep, request: Request) -> Response:
        wanted = await read_body(request, Act)
        rows = await wall.rows(user, wanted.rows)
        found = await steer.act(request, user, wanted, rows, await wall.look(rows))
        return _json(found, 409 if isinstance(found, Plan) else 200)


def _add_errors(app: FastAPI) -> None:
    def answers(error: type[Exception], status: Callable[[Any], int], why: Callable[[Any], str]) -> None:
        async def handle(_: Request, found: Exception) -> Response:
            return error_response(status(found), why(found))

        app.add_exception_handler(error, handle)

    answers(NotFoundError, lambda _: 404, str)
    answers(RefusedRequestError, lambda error: error.status, lambda error: error.why)
    answers(RequestValidationError, lambda _: 422, _what_is_wrong)
    for status in _SENTENCES:
        app.add_exception_handler(status, _by_status)
    answers(HTTPException, lambda error: error.status_code, lambda error: redact(str(error.detail)))


async def _by_status(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    return error_response(status, _SENTENCES[status])


def _what_is_wrong(error: RequestValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc'][1:]))}: {found['msg']}."


def _json(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")
