"""Arguments and options that several commands have."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from renderjuice.account import AccountOptions, base_url, state_folder
from renderjuice.order_book import OrderBook
from renderjuice_provider.api.models import JobStatus

SCENES = Annotated[
    list[str], typer.Argument(metavar="SCENE...", help="Scenes (.blend, .zip), folders of them, or - for a list.")
]
EVERY = Annotated[float, typer.Option(metavar="SECONDS", min=0.01, help="Seconds between two polls of a job.")]
TIMEOUT = Annotated[float, typer.Option(metavar="SECONDS", min=0.01, help="Stop waiting after this time.")]
MOST = Annotated[
    float | None,
    typer.Option(
        "--max-normalized-seconds",
        metavar="SECONDS",
        min=0.01,
        help="What all together may spend: what renders is cancelled when it is spent.",
    ),
]
UPLOADS = Annotated[int, typer.Option(min=1, max=64, help="Scenes that are uploaded at once.")]
_LOOK = "How to render"
PRESET = Annotated[
    str | None, typer.Option(metavar="NAME", help="Colour management: default or aces.", rich_help_panel=_LOOK)
]
FRAMES = Annotated[
    str | None, typer.Option(metavar="RANGES", help="Such as 1-24,30. By default the scene's.", rich_help_panel=_LOOK)
]
SAMPLES = Annotated[int | None, typer.Option(help="Samples of each pixel.", rich_help_panel=_LOOK)]
RESOLUTION = Annotated[
    str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Pixels, such as 1920x1080.", rich_help_panel=_LOOK)
]
PERCENTAGE = Annotated[int | None, typer.Option(help="Of the resolution.", rich_help_panel=_LOOK)]
CONFIG = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="A render configuration as JSON: a file, or the JSON itself.", rich_help_panel=_LOOK
    ),
]
SET = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other field of it; again for more.", rich_help_panel=_LOOK),
]


def complete_jobs(incomplete: str) -> list[tuple[str, str]]:
    """Jobs that this machine has ordered, for the completion of the shell. Nothing is asked."""
    book = OrderBook(state_folder(os.environ) / "orders", base_url(AccountOptions()))
    return [(str(each.job_id), each.name) for each in book.all() if str(each.job_id).startswith(incomplete)]


def complete_statuses(incomplete: str) -> list[str]:
    """The statuses that are documented."""
    return [str(status) for status in JobStatus if status.startswith(incomplete)]


JOBS = Annotated[
    list[str],
    typer.Argument(
        metavar="JOB...",
        help="Ids of jobs, scenes or folders that were submitted here, or - for a list.",
        autocompletion=complete_jobs,
    ),
]
STATUS = Annotated[
    str | None,
    typer.Option(help="Only jobs in this status, such as rendering or failed.", autocompletion=complete_statuses),
]
