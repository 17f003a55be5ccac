"""What was made of what: scenes, jobs, frames and deliveries, for OpenLineage.

Our operators say it by themselves, where `apache-airflow-providers-openlineage` is installed (the
extra `openlineage`): docs/metrics.md shows what. A task of one's own says it with `note_lineage`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from renderjuice_provider.api.redact import redact, storable

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

__all__ = [
    "note_lineage",
]

log = logging.getLogger(__name__)
_CONNECTION_ID = re.compile(r"(?<=://)[^/@]+@")
_LONGEST = 2000


@dataclass(frozen=True)
class Lineage:
    """What one task has made of what.

    Attributes:
        inputs: places: local paths, URLs, or what `of_job` and `of_upload` return.
        outputs: likewise.
        facts: of the render, for the run; names as in the task's XCom.
        files: how many files an output has, by place.
        size: their bytes, likewise.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    size: Mapping[str, int] = field(default_factory=dict)

    def to_openlineage(self) -> OperatorLineage[Any, Any]:
        """The same in the classes of the OpenLineage provider, which has to be installed."""
        from airflow.providers.common.compat.openlineage.facet import (
            Dataset,
            InputDataset,
            OutputDataset,
            OutputStatisticsOutputDatasetFacet,
        )
        from airflow.providers.openlineage.extractors import OperatorLineage

        def named(kind: type[Dataset], place: str, **facets: Any) -> Dataset:
            namespace, name = dataset_of(place)
            return kind(namespace=namespace, name=name, **facets)

        def out(place: str) -> Dataset:
            counts: dict[str, Any] = {"fileCount": self.files.get(place), "size": self.size.get(place)}
            known = {name: number for name, number in counts.items() if number is not None}
            facets = {"outputStatistics": OutputStatisticsOutputDatasetFacet(**known)} if known else {}
            return named(OutputDataset, place, outputFacets=facets)

        return OperatorLineage(
            inputs=[named(InputDataset, place) for place in self.inputs],
            outputs=[out(place) for place in self.outputs],
            run_facets={"renderjuice": _run_facet()(**_facts(self.facts))} if self.facts else {},
        )


def of_job(conn_id: str, job_id: str) -> str:
    """The place of a job's outputs at Renderjuice."""
    return f"renderjuice://{conn_id}/jobs/{job_id}"


def of_upload(conn_id: str, slug: str) -> str:
    """The place of an uploaded scene at Renderjuice."""
    return f"renderjuice://{conn_id}/uploads/{slug}"


def of_render(conn_id: str, source: str, result: Mapping[str, Any] | None) -> Lineage:
    """Of one render: from a scene, or a job, to the outputs of a job.

    Args:
        conn_id: the connection.
        source: the place of the scene or the job.
        result: what the task returned; None where it has failed.
    """
    if not result:
        return Lineage((source,))
    job, delivered = of_job(conn_id, result["job_id"]), result.get("frames_delivered")
    return Lineage((source,), (job,), result, {} if delivered is None else {job: delivered})


def dataset_of(place: str) -> tuple[str, str]:
    """Namespace and name of a place, as OpenLineage names data sets.

    Neither has a connection id, credentials or a query: what is the same has one name.
    """
    if "://" not in place:
        return "file", redact(str(Path(place).absolute()), longest=_LONGEST)
    parts = urlsplit(redact(_CONNECTION_ID.sub("", place), longest=_LONGEST))
    if parts.scheme == "file":
        return "file", parts.path
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/"


def note_lineage(inputs: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
    """Say in a running task what it has read and written; nothing where nobody listens.

    Args:
        inputs: local paths or URLs.
        outputs: likewise.
    """
    try:
        _note(inputs, outputs)
    except Exception as error:  # noqa: BLE001 - what is made is not lost for what is said about it
        log.warning("The lineage of this task is not noted: %s", redact(f"{type(error).__name__}: {error}"))


def _note(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    collector, context = get_hook_lineage_collector(), RenderjuiceHook()
    for add, places in ((collector.add_input_asset, inputs), (collector.add_output_asset, outputs)):
        for namespace, name in map(dataset_of, places):
            add(context, uri=f"file://{name}" if namespace == "file" else f"{namespace}/{name}")


_FACTS = {
    "job_id": "jobId",
    "jobs": "jobs",
    "status": "status",
    "normalized_seconds": "normalizedSeconds",
    "frames_requested": "framesRequested",
    "frames_missing": "framesMissing",
    "complete": "complete",
}


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    return {ours: storable(result[name]) for name, ours in _FACTS.items() if name in result}


@cache
def _run_facet() -> Any:
    import attr
    from airflow.providers.common.compat.openlineage.facet import RunFacet

    fields = {name: attr.field(default=None) for name in _FACTS.values()}
    return attr.make_class("RenderjuiceRunFacet", fields, bases=(RunFacet,), slots=True)
