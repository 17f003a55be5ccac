"""Addresses of what a task's buttons open. Pure, but for reading Airflow's configuration."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from renderjuice_provider._row_id import row_id
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import conf

log = logging.getLogger(__name__)
SECTION, OPTION = "renderjuice", "delivery_urls"
_LONGEST = 2000
"""Characters of an address; browsers and proxies agree on about that many."""
_WEB = ("https://", "http://")
_CONNECTION_ID = re.compile(r"(?<=://)[^/@]+@")


def address_of(place: str, urls: Mapping[str, str]) -> str:
    """The web address of a folder; "" where it has none that may be shown.

    Args:
        place: a path or URL. A connection id in it (`s3://aws_default@bucket`) does not count.
        urls: what a place may begin with, and the address that this is in the web. The longest
            that fits counts.
    """
    place = _CONNECTION_ID.sub("", place)
    fitting = [(start.rstrip("/"), url) for start, url in urls.items() if _is_in(place, start.rstrip("/"))]
    if fitting:
        start, url = max(fitting, key=lambda pair: len(pair[0]))
        return shown(url.rstrip("/") + quote(place[len(start) :]))
    return shown(place)


def _is_in(place: str, start: str) -> bool:
    return place == start or place.startswith(f"{start}/")


def picture_of_run(dag_id: str, run_id: str, job_id: str) -> str:
    """The address, on Airflow's own server, of the newest picture of a job of a shot's run."""
    base = urlsplit(str(conf.get("api", "base_url", fallback=""))).path.rstrip("/")
    return f"{base}/renderjuice/wall/pictures/{row_id(dag_id, run_id)}~{job_id}.last?size=1024"


def shown(url: str) -> str:
    """A web address as it is; "" for anything else. One with a query may be signed, a secret."""
    try:
        is_web = bool(urlsplit(url).hostname) and url.startswith(_WEB)
    except ValueError:
        return ""
    return url if is_web and redact(url, longest=_LONGEST) == url else ""


def delivery_urls() -> dict[str, str]:
    """What the option `[renderjuice] delivery_urls` says; empty where it says nothing usable."""
    try:
        found: Any = conf.getjson(SECTION, OPTION, fallback={})
    except Exception as error:  # noqa: BLE001 - a button is not worth failing for
        log.warning("[%s] %s in Airflow's configuration is no JSON: %s", SECTION, OPTION, type(error).__name__)
        return {}
    if not isinstance(found, Mapping):
        log.warning("[%s] %s in Airflow's configuration is no JSON object", SECTION, OPTION)
        return {}
    return {str(start): str(url) for start, url in found.items()}


def page_of_run(ti_key: Any, page: str) -> str:
    """A plugin's tab of a DAG run, without a leading slash: Airflow may have a base path."""
    return f"dags/{_part(ti_key.dag_id)}/runs/{_part(ti_key.run_id)}/plugin/{page}"


def _part(text: str) -> str:
    return quote(text, safe="")
