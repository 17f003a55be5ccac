"""What `GET /jobs/{id}/downloads` answers."""

from __future__ import annotations

from typing import Any

from renderjuice_emulator.jobs import Job
from renderjuice_emulator.parts import EmulatorParts
from renderjuice_emulator.rendering import RenderedFile
from renderjuice_emulator.switches import Switches


def downloads_body(parts: EmulatorParts, job: Job, host: str | None) -> dict[str, Any]:
    """Signed URLs of the outputs, on the host that the client knows.

    Empty arrays before output is ready.
    """
    switches, storage = parts.switches, parts.storage
    items: dict[str, list[dict[str, Any]]] = {"frame": [], "composite": []}
    if parts.farm.outputs_are_ready(job):
        for place, file in enumerate(job.outputs):
            items[file.kind].append(_item(storage.file_url(job, place, host), file, switches))
    frames, composites = items["frame"], items["composite"]
    transforms: dict[str, Any] = {}
    for name, kind in (("framesZip", "frame"), ("compositeNodesZip", "composite")):
        if items[kind] and switches.zips:
            url = storage.zip_url(job, kind, host)
            transforms |= {name: url, f"{name}Outputs": {"url": url, "fileName": f"{kind}s.zip", "legacy": False}}
    legacy = switches.legacy_outputs
    body: dict[str, Any] = {
        "frames": [item["url"] for item in frames if legacy],
        "compositeNodes": [item["url"] for item in composites if legacy],
        "transforms": transforms,
    }
    if switches.file_outputs:
        body |= {"frameOutputs": frames, "compositeNodeOutputs": composites}
    return body


def _item(url: str, file: RenderedFile, switches: Switches) -> dict[str, Any]:
    names = switches.hostile_names
    item: dict[str, Any] = {"url": url, "fileName": names.get(file.path.name, file.path.name), "legacy": False}
    if file.view:
        item["view"] = file.view
    if file.relative_path:
        path = names.get(file.relative_path, file.relative_path)
        item["relativePath"] = path if switches.relative_path == "path" else path.rpartition("/")[0]
    if file.node:
        item["compositeNodeName"] = file.node
    return item
