"""Find what is missing of a night's failed shots, so that only that is rendered again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceError
from stages.composite import find_frames
from stages.decisions import frame_numbers, frame_ranges
from stages.planning import date_of, names_of
from stages.records import FailedRender, Summary, check_record, read_record
from stages.storage import join, local_copy, sha256

Salvage = Callable[[str, str], Any]
"""Downloads what a job left (its id) into a folder; `stages.tasks` does it with the hook."""


def plan_repairs(destination: str, night: str, shots: Sequence[str], salvage: Salvage) -> dict[str, Any]:
    """Plan repairs: for each failed shot, the configurations that render only what is missing.

    What a failed job rendered is paid, so it is fetched first. Frames of two versions of a scene
    are not mixed: a shot whose scene has changed is left to the nightly, and so is one whose render
    never started.

    Args:
        destination: where the deliveries are.
        night: its date.
        shots: names; empty for all that failed.
        salvage: see `Salvage`.

    Returns:
        `night`, `repairs` (each with `order`, `decision` and, by layer, `configs`; a layer that is
        whole has none), and `entries` of the summary for failed shots that are not repaired.

    Raises:
        ValueError: when there is no summary of that night, or it has no shot of a name in `shots`.
        RecordError: when the summary is not as it was written.
    """
    night, wanted = date_of(night), names_of(shots)
    where = join(destination, "nights", night, "summary.json")
    summary = read_record(where, Summary)
    if summary is None:
        raise ValueError(f"There is no summary of the night of {night} in {destination}")
    if unknown := sorted(wanted - set(summary["shots"])):
        raise ValueError(f"The night of {night} had no {', '.join(unknown)}")
    failed = [
        entry for name, entry in summary["shots"].items() if entry["state"] == "failed" and name in (wanted or {name})
    ]
    repairs, entries = [], []
    for entry in failed:
        if reason := _why_not(entry, where):
            entries.append(entry | {"carried_over": True, "reason": f"{entry.get('reason')} (not repaired: {reason})"})
        else:
            configs = {layer: _missing(entry, layer, salvage) for layer in entry["order"]["files"]}
            repairs.append({"order": entry["order"], "decision": entry["decision"], "configs": configs})
    return {"night": night, "repairs": repairs, "entries": entries}


def _why_not(entry: Mapping[str, Any], where: str) -> str:
    if not (entry.get("decision") or {}).get("configs"):
        return "it never came to rendering, so nothing was paid; start the nightly again"
    check_record(entry, FailedRender, f"The entry of {entry['shot']} in {where}")
    order = entry["order"]
    for layer, file in order["files"].items():
        try:
            changed = sha256(file) != order["content"][layer]
        except OSError as error:
            return str(error)
        if changed:
            return "its scene has changed since; the nightly renders it as a whole"
    return ""


def _missing(entry: Mapping[str, Any], layer: str, salvage: Salvage) -> dict[str, Any] | None:
    """The configuration that renders what is missing of a layer; None when nothing is."""
    decision = entry["decision"]
    config: dict[str, Any] = decision["configs"][layer]
    folder = join(entry["order"]["work"], layer)
    wanted = frame_numbers(decision["frames"])
    missing = _missing_frames(folder, wanted)
    if missing and layer in decision["jobs"]:
        try:
            salvage(decision["jobs"][layer], folder)
        except RenderjuiceError:  # the job is gone, or left no frames
            return config | {"frameRanges": frame_ranges(missing)}
        missing = _missing_frames(folder, wanted)
    return config | {"frameRanges": frame_ranges(missing)} if missing else None


def _missing_frames(folder: str, frames: Sequence[int]) -> list[int]:
    with local_copy(join(folder, "frames")) as here:
        return find_frames(Path(here), frames).wanted
