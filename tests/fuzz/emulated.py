"""What the emulator is sent: scenes, archives, faults, switches, requests of anybody."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from pydantic import ValidationError

from renderjuice_emulator.archives import safe_name, several_scenes
from renderjuice_emulator.faults import Fault
from renderjuice_emulator.guard import CONTROLS, Guard
from renderjuice_emulator.rendering import expand_frame_ranges
from renderjuice_emulator.scenes import open_upload, read_scene
from renderjuice_emulator.switches import Switches
from tests.fuzz.holds import nothing_outside
from tests.fuzz.inputs import Chance
from tests.fuzz.measure import Target
from tests.fuzz.read import BLEND, ZIP

_FOLDER = Path(mkdtemp(prefix="renderjuice-fuzz-"))
FAULTS = ("ok", "429 retry-after=2", "html 502", 'json {"a": 1}', "redirect https://x.test/", "stall 5", "reset-after")
GUARD = Guard(["studio.test"], "token")


def _scenes(chance: Chance) -> None:
    path = _FOLDER / "scene.blend"
    path.write_bytes(chance.changed_bytes(BLEND))
    read_scene(path)


def _archives(chance: Chance) -> None:
    upload, target = _FOLDER / "upload.zip", _FOLDER / "inner" / "unpacked"
    target.parent.mkdir(exist_ok=True)
    upload.write_bytes(chance.changed_bytes(ZIP))
    with nothing_outside(target):
        try:
            scene = open_upload(upload, target)
            assert scene.is_relative_to(target)
            several_scenes(target)
        finally:
            shutil.rmtree(target, ignore_errors=True)


def _names(chance: Chance) -> None:
    name = safe_name(chance.changed_text("folder/shot.blend"))
    assert "/" not in name
    assert "\0" not in name
    name.encode()


def _faults(chance: Chance) -> None:
    Fault.parse(chance.changed_text(chance.choice(FAULTS)))


def _switches(chance: Chance) -> None:
    try:
        setattr(Switches(), chance.choice([*Switches.model_fields, "unheard_of"]), chance.anything())
    except ValidationError:
        return


def _guard(chance: Chance) -> None:
    headers = {
        "host": chance.choice(("localhost:8080", "127.0.0.1", "studio.test", chance.changed_text("[::1]:80"))),
        "origin": chance.choice(("http://localhost:8080", "null", chance.changed_text("http://evil.test"))),
        "sec-fetch-site": chance.choice(("none", "cross-site", chance.text())),
    }
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    scope = {"type": "http", "method": chance.choice(("GET", "POST", "DELETE")), "path": "/", "headers": raw}
    refusal = GUARD.foreign(scope)
    assert refusal or "evil" not in headers["origin"], "another site was let in"
    path = GUARD.control_path(chance.changed_text(f"{CONTROLS}/tokem/reset"))
    assert path is None or "token/" in path or path.startswith(CONTROLS)


def _frames(chance: Chance) -> None:
    expand_frame_ranges([chance.changed_text("1-10:2")])


TARGETS = [
    Target("emulator scenes", _scenes, share=4),
    Target("emulator archives", _archives, share=2),
    Target("emulator names", _names, share=4),
    Target("emulator faults", _faults, words=True, share=5),
    Target("emulator switches", _switches, words=True, share=4),
    Target("emulator guard", _guard, share=5),
    Target("emulator frames", _frames, words=True, share=4),
]
