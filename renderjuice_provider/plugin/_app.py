"""The app that Airflow's API server mounts at `/renderjuice`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from renderjuice_provider.lifecycle.inbox import InboxFullError
from renderjuice_provider.plugin._asset_events import AssetEvents
from renderjuice_provider.plugin._group_commit import Events, GroupCommit
from renderjuice_provider.plugin._inbox_variable import note_events
from renderjuice_provider.plugin._metrics import NOTED, count
from renderjuice_provider.plugin._receiver import Receiver
from renderjuice_provider.plugin._refusals import RefusedError
from renderjuice_provider.plugin._secrets import Secrets


def make_app() -> FastAPI:
    """An app of its own, without pages that describe it: anyone may reach it."""
    asset_events = AssetEvents()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """What runs as long as the API server does."""
        # The first metric of a process reads files.
        await asyncio.to_thread(count, NOTED, by=0)
        asset_events.start()
        try:
            yield
        finally:
            asset_events.stop()

    def note(renderjuice_conn_id: str, events: Events) -> int:
        try:
            new = note_events(renderjuice_conn_id, events)
        except InboxFullError as error:
            raise RefusedError("busy", f"{error}; the lines about asset events say why.") from None
        if new:
            asset_events.noted(renderjuice_conn_id)
        return new

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    receiver = Receiver(Secrets(), GroupCommit(note))

    async def webhook(request: Request) -> Response:
        return Response(status_code=await receiver.receive(request, request.path_params["renderjuice_conn_id"]))

    # A plain route: there is nothing for FastAPI to validate. Airflow's ids may hold a slash.
    app.add_route("/webhooks/{renderjuice_conn_id:path}", webhook, methods=["POST"])
    return app
