"""The app that Airflow's API server mounts at `/renderjuice`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from airflow.listeners.listener import get_listener_manager
from fastapi import FastAPI, Request, Response

from renderjuice_provider._metrics import ON_SERVERS, WEBHOOKS_NOTED
from renderjuice_provider.lifecycle.inbox import InboxFullError
from renderjuice_provider.plugin._asset_events import AssetEvents
from renderjuice_provider.plugin._ended_tasks import EndedTasks
from renderjuice_provider.plugin._group_commit import Events, GroupCommit
from renderjuice_provider.plugin._inbox_variable import note_events
from renderjuice_provider.plugin._receiver import Receiver
from renderjuice_provider.plugin._refusals import RefusedError
from renderjuice_provider.plugin._secrets import Secrets
from renderjuice_provider.wall._routes import make_wall_app
from renderjuice_provider.wall._steer import Steering
from renderjuice_provider.wall.farm import RenderjuiceFarm


def make_app() -> FastAPI:
    """An app of its own, without pages that describe it: anyone may reach it.

    The render wall below it wants a user for itself.
    """
    asset_events, ended_tasks, farm = AssetEvents(), EndedTasks(), RenderjuiceFarm()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """What runs as long as the API server does."""
        # The first metric of a process reads files.
        await asyncio.to_thread(ON_SERVERS.count, WEBHOOKS_NOTED, by=0)
        asset_events.start()
        get_listener_manager().add_listener(ended_tasks)
        try:
            yield
        finally:
            get_listener_manager().pm.unregister(ended_tasks)
            asset_events.stop()
            await farm.close()

    settle = cache(_settle)

    def note(renderjuice_conn_id: str, events: Events) -> int:
        settle()
        try:
            noted = note_events(renderjuice_conn_id, events)
        except InboxFullError as error:
            raise RefusedError("busy", f"{error}; the lines about asset events say why.") from None
        if noted.new and noted.is_wanted:
            asset_events.noted(renderjuice_conn_id)
        return noted.new

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    receiver = Receiver(Secrets(), GroupCommit(note))

    async def webhook(request: Request) -> Response:
        return Response(status_code=await receiver.receive(request, request.path_params["renderjuice_conn_id"]))

    # A plain route: there is nothing for FastAPI to validate. Airflow's ids may hold a slash.
    app.add_route("/webhooks/{renderjuice_conn_id:path}", webhook, methods=["POST"])
    app.mount("/wall", make_wall_app(farm, Steering()))
    return app


def _settle() -> None:
    """Spare the garbage collector what is there already, once, when the first event has come.

    Many requests at a time make Python look for garbage among all objects every few hundred events,
    and an Airflow has 700,000 of them, which are there to stay. That took most of the processor
    time of an event, and each time it kept everyone waiting for half a second.
    """
    gc.collect()
    gc.freeze()
