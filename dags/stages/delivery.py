"""A shot's delivery: movie, frames, contact sheet and manifest. All of it appears, or nothing.

    <destination>/shots/<shot>/current.json              points to the valid version; written last
    <destination>/shots/<shot>/<version>/manifest.json   written after all files of the version
    <destination>/shots/<shot>/<version>/<shot>.mp4, contact_sheet.png, frames/<shot>.0001.png ...

A folder without a manifest is not a delivery. The version is the start of the fingerprint, so what
is delivered twice goes to the same place, and is found there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from renderjuice_provider.api.redact import storable
from renderjuice_provider.frames import numbers, padded
from renderjuice_provider.storage import folder, whole_file
from stages.contact_sheet import make_contact_sheet
from stages.decisions import frame_numbers
from stages.defaults import ONE_LAYER
from stages.movie import make_movie
from stages.records import DeliveryManifest, DownloadManifest, read_record
from stages.storage import join, put_json, read_json, sha256, storage

POINTER = "current.json"
MANIFEST = "manifest.json"
_PLACE = re.compile(rf"[\w-]{{1,64}}/{re.escape(MANIFEST)}", re.ASCII)


def deliver(
    order: Mapping[str, Any], decision: Mapping[str, Any], composited: Mapping[str, Any], frames: Path
) -> dict[str, Any]:
    """Make a shot's movie and contact sheet, and publish them with its frames; see `publish`.

    Args:
        order: of `stages.orders`.
        decision: of `stages.decisions`.
        composited: what `stages.composite.composite` returned.
        frames: the folder of the composited frames, `0001.png` and so on. Only frames of the
            decision are taken.

    Returns:
        For summary and tracker: `shot`, `show`, `night`, `version`, `fingerprint`, `frames` (a
        count), `fps`, `width`, `height`, `settings`, `complete` and `missing` (see `lost_passes`),
        `remarks` and `again` (see `odd_frames`), `manifest`, `movie` and `contact_sheet` (where
        they are), `new` (False when all was already there).

    Raises:
        ValueError: when a frame is missing: nothing is delivered then.
        RecordError: when a manifest is not as it was written.
    """
    shot, version = order["shot"], version_of(order)
    about = {
        "shot": shot,
        "show": order["show"],
        "night": order["night"],
        "version": version,
        "fingerprint": order["fingerprint"],
        "frames": composited["frames"],
        "fps": decision["fps"],
        "width": composited["width"],
        "height": composited["height"],
        "settings": decision["branch"],
        "complete": not (missing := lost_passes(order)),
        "missing": missing,
    } | odd_frames(order)
    where = join(order["delivery"], version)
    short = about | {
        "manifest": join(where, MANIFEST),
        "movie": join(where, f"{shot}.mp4"),
        "contact_sheet": join(where, "contact_sheet.png"),
    }
    if there := read_record(short["manifest"], DeliveryManifest):
        point_to(order["delivery"], there)
        kept = {name: there[name] for name in ("night", "complete", "missing", "remarks", "again") if name in there}
        return short | kept | {"new": False}
    wanted = frame_numbers(decision["frames"])
    pictures = {number: frames / f"{padded(number)}.png" for number in wanted}
    if lost := [number for number, path in pictures.items() if not path.is_file()]:
        raise ValueError(
            f"Composited frames {numbers(lost)} of {shot} are not there: clear `composite` with downstream"
        )
    with TemporaryDirectory(prefix="renderjuice-") as made:
        movie = Path(made, f"{shot}.mp4")
        text = make_movie(pictures, movie, fps=decision["fps"], shot=shot, date=order["night"])
        sheet = make_contact_sheet(list(pictures.values()), Path(made, "contact_sheet.png"))
        files = {movie.name: movie, sheet.name: sheet}
        files |= {f"frames/{shot}.{padded(number)}.png": path for number, path in pictures.items()}
        details = {
            "view": composited["view"],
            "burn_in": text,
            "frame_ranges": decision["frames"],
            "jobs": decision["jobs"],
        }
        if not order["show"]:  # a shot of no list is known by its file
            details["scene_paths"] = storable(order["files"])
        publish(order["delivery"], about | details | {"scenes": order["content"]}, files)
    return short | {"new": True}


def lost_passes(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compositor outputs that a shot's scenes should have written: `layer`, `node` and `frames`.

    They are not part of the delivery, which is made without them and says that it is not complete.
    """
    return [
        {"layer": layer} | gap
        for layer, found in _manifests_of_layers(order).items()
        for gap in found.get("missing", ())
        if gap.get("node") is not None
    ]


def odd_frames(order: Mapping[str, Any]) -> dict[str, Any]:
    """What looked wrong among a shot's frames, by layer and file.

    Returns:
        `remarks` (reasons of what was delivered as it is) and `again` (what was rendered again);
        each only where there is something.
    """
    manifests = _manifests_of_layers(order)
    remarks = {
        f"{layer}/{place}": reason
        for layer, found in manifests.items()
        for place, reason in found.get("remarks", {}).items()
    }
    again = [f"{layer}/{place}" for layer, found in manifests.items() for place in found.get("again", ())]
    return ({"remarks": remarks} if remarks else {}) | ({"again": again} if again else {})


def _manifests_of_layers(order: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if "work" not in order:
        return {}
    return {
        layer: read_record(join(order["work"], layer, MANIFEST), DownloadManifest) or {} for layer in order["files"]
    }


def publish(delivery: str, about: Mapping[str, Any], files: Mapping[str, Path]) -> bool:
    """Put files into a delivery. Readers see all of them, or the delivery before.

    Args:
        delivery: the shot's folder: a local path, or any `ObjectStoragePath` URL.
        about: what the manifest says besides the files; `version` names the folder.
        files: the files, by their names in the delivery.

    Returns:
        False when this version was already there. Then only the pointer is written, if it pointed
        elsewhere.
    """
    where = join(delivery, about["version"])
    there = read_record(join(where, MANIFEST), DeliveryManifest)
    if there is None:
        there = dict(about) | {"files": [_describe(name, path) for name, path in sorted(files.items())]}
        target = folder(storage(where))
        for name, path in sorted(files.items()):
            with whole_file(target, name) as partial_file:
                shutil.copyfile(path, partial_file)
        put_json(where, MANIFEST, there)
        point_to(delivery, there)
        return True
    point_to(delivery, there)
    return False


def point_to(delivery: str, manifest: Mapping[str, Any]) -> None:
    """Make a complete version the valid one. Nothing is written when it already is."""
    pointer = {
        "version": manifest["version"],
        "fingerprint": manifest["fingerprint"],
        "manifest": f"{manifest['version']}/{MANIFEST}",
    }
    if read_json(join(delivery, POINTER)) != pointer:
        put_json(delivery, POINTER, pointer)


def current_delivery(delivery: str) -> dict[str, Any] | None:
    """The manifest of the valid version; None when there is none, or it was removed."""
    pointer = read_json(join(delivery, POINTER))
    place = pointer.get("manifest") if isinstance(pointer, Mapping) else None
    if not isinstance(place, str) or not _PLACE.fullmatch(place):
        return None  # not written by us; the next delivery replaces it
    manifest = read_json(join(delivery, place))
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("fingerprint"), str) else None


def check_not_anothers(order: Mapping[str, Any]) -> None:
    """Refuse a scene started by hand that is named like another one, and would take its place.

    Raises:
        ValueError: when what is delivered under this name is a shot of a list, or of another file.
    """
    there = None if order["show"] else current_delivery(order["delivery"])
    if there is None:
        return
    elsewhere = f"Rename {order['files'][ONE_LAYER]}, or choose another `destination`"
    if show := there.get("show"):
        raise ValueError(
            f"{order['shot']} is a shot of {show}, whose delivery this would replace. Start it by its name "
            f"(`shot`) if it is meant. {elsewhere} if not"
        )
    paths = there.get("scene_paths")
    if paths and paths != storable(order["files"]):
        raise ValueError(
            f"{order['shot']} was delivered from {', '.join(map(str, paths.values()))}, whose delivery this would "
            f"replace. {elsewhere}; or move that delivery away"
        )


def version_of(order: Mapping[str, Any]) -> str:
    """The name of a version's folder; one that is rendered again has a folder of its own."""
    again = order.get("again")
    return f"{order['fingerprint'][:16]}-{again}" if again else str(order["fingerprint"][:16])


def _describe(name: str, path: Path) -> dict[str, Any]:
    return {"path": name, "bytes": path.stat().st_size, "sha256": sha256(path)}
