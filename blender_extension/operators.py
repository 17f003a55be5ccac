"""What people do: check, render, take up, stop, sign in.

Each is also there for scripts:

    blender --background shot.blend --online-mode --python-expr "
        import bpy; bpy.ops.renderjuice.render()"

Without windows, `render` and `take_up` return when the frames are back; else they return at once,
and a timer shows what happens.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from textwrap import wrap
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from . import direct, keys
from .airflow import AirflowError, sign_in
from .packing import PackingError, blender_command
from .preferences import JOB, MissingError, address, own_folder, own_job, pipeline, preferences, record_of
from .scene import check, frames_folder, frames_of, is_changed, show_frames
from .work import State, Work

_TICK = 0.5
"""Seconds after which the panel shows what is new."""
_LINE = 64
"""Characters of a line in the panel."""
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")
current: Work | None = None
"""The render of this session; a session has one at a time."""


def _in_sentences(execute: Callable[[Any, Any], set[str]]) -> Callable[[Any, Any], set[str]]:
    """Show what people can settle as a sentence, not as a traceback."""

    @wraps(execute)
    def shown(self: Any, context: Any) -> set[str]:
        try:
            return execute(self, context)
        except (AirflowError, MissingError, PackingError, direct.KeyMissing) as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            from renderjuice_provider.api.errors import RenderjuiceError

            if not isinstance(error, RenderjuiceError):
                raise
            self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    return shown


class RENDERJUICE_OT_check(bpy.types.Operator):
    """Check the open scene: missing files, camera, changes that are not saved."""

    bl_idname = "renderjuice.check"
    bl_label = "Check the Scene"

    def execute(self, context: Any) -> set[str]:
        """Report each finding."""
        checked = check(context.scene)
        for finding in checked.findings:
            self.report({"ERROR" if finding.stops else "WARNING"}, finding.text)
        if not checked.findings:
            count = len(checked.needs.files) if checked.needs else 0
            self.report({"INFO"}, f"Nothing speaks against rendering it. It needs {count} other files")
        return {"CANCELLED" if any(finding.stops for finding in checked.findings) else "FINISHED"}


class RENDERJUICE_OT_render(bpy.types.Operator):
    """Check and pack the open scene, render it on the farm, and put the frames back."""

    bl_idname = "renderjuice.render"
    bl_label = "Render with the Studio's Pipeline"

    save_first: BoolProperty(name="Save the scene first", default=True)
    may_miss_files: BoolProperty(name="Render without the missing files", default=False)

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """One at a time: a second one would be paid for as well."""
        return current is None or current.state.is_over

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Show what was found, and ask."""
        self.checked = check(context.scene)
        result: set[str] = context.window_manager.invoke_props_dialog(self, width=520)
        return result

    def draw(self, context: Any) -> None:
        """The question: findings, frames, and that it costs."""
        layout = self.layout
        for finding in self.checked.findings:
            say(layout, finding.text, "ERROR" if finding.stops else "INFO")
        if self.checked.is_missing_files:
            layout.prop(self, "may_miss_files")
        if is_changed():
            layout.prop(self, "save_first")
        layout.label(text=f"Frames {_frames(context)}. Renderjuice bills what it renders")

    @_in_sentences
    def execute(self, context: Any) -> set[str]:
        """Start it; without windows, wait for the frames."""
        _check_online()
        if is_changed() and bpy.data.filepath:
            if not self.save_first:
                raise MissingError("The scene has changes that are not saved: save it first (Ctrl S)")
            bpy.ops.wm.save_mainfile()
        checked = check(context.scene, may_miss_files=self.may_miss_files)
        reasons = [finding.text for finding in checked.findings if finding.stops]
        if reasons or checked.needs is None:
            raise MissingError("; ".join(reasons))
        scene = checked.needs.scene
        record = record_of(str(scene))
        if _started():
            raise MissingError("A render of this scene is on its way: take it up, or stop it")
        blender, folder = blender_command(_binary()), frames_folder(scene)
        if preferences().way == JOB:
            work = own_job(_config(context)).render(checked.needs, blender, record, own_folder("packed"), folder)
        else:
            stem = _NOT_IN_IDS.sub("_", scene.stem)
            run_id = f"blender__{stem}__{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
            conf = {"frames": _frames(context), "quality": context.window_manager.renderjuice.quality}
            work = pipeline(conf).render(checked.needs, blender, record, run_id, folder)
        return _start(self, Work(work), str(scene))


class RENDERJUICE_OT_take_up(bpy.types.Operator):
    """Go on with the render of this scene that an earlier session has started."""

    bl_idname = "renderjuice.take_up"
    bl_label = "Take Up"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Where something was started, and nobody here waits for it."""
        return (current is None or current.state.is_over) and bool(_started())

    @_in_sentences
    def execute(self, context: Any) -> set[str]:
        """Wait for it again."""
        _check_online()
        started, record = _started(), record_of(bpy.data.filepath)
        folder = Path(started["folder"])
        is_job = started["way"] == "job"
        work = own_job({}).follow(record, folder) if is_job else pipeline({}).follow(record, folder)
        return _start(self, Work(work), bpy.data.filepath)


class RENDERJUICE_OT_stop(bpy.types.Operator):
    """Stop the render of this scene. What it has rendered so far is billed."""

    bl_idname = "renderjuice.stop"
    bl_label = "Stop"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Where something runs, as far as is known here."""
        return bool(_started()) or (current is not None and not current.state.is_over)

    @_in_sentences
    def execute(self, context: Any) -> set[str]:
        """Stop it by who started it: Airflow, or Renderjuice."""
        started, record = _started(), record_of(bpy.data.filepath)
        is_here = current is not None and not current.state.is_over
        if current is not None:
            current.stop()
        if started.get("way") == "job":
            with direct.client_for(own_job({}).account) as client:
                status = direct.stop(client, record)
            self.report({"INFO"}, f"The job is {status}" if status else "Stopped before there was a job")
            record.note(is_running=False)
        elif not is_here:
            pipeline({}).airflow.stop(started["run_id"])
            record.note(is_running=False)
            self.report({"INFO"}, "Airflow ends the run, and its tasks cancel what renders")
        return {"FINISHED"}


class RENDERJUICE_OT_sign_in(bpy.types.Operator):
    """Sign in. It holds until Blender is closed: neither key nor password is written down."""

    bl_idname = "renderjuice.sign_in"
    bl_label = "Sign in"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender reads it; without REGISTER no report shows the password

    secret: StringProperty(name="Password", subtype="PASSWORD", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for it."""
        result: set[str] = context.window_manager.invoke_props_dialog(self)
        return result

    def draw(self, context: Any) -> None:
        """One field."""
        what = "Renderjuice's API key" if preferences().way == JOB else "Password in Airflow"
        self.layout.prop(self, "secret", text=what)

    @_in_sentences
    def execute(self, context: Any) -> set[str]:
        """Keep the key; or a token for the password, which is forgotten."""
        secret, self.secret = self.secret, ""
        _check_online()
        if preferences().way == JOB:
            keys.keep(keys.API_KEY, secret)
        else:
            keys.keep(keys.TOKEN, sign_in(address(), preferences().user, secret))
        return {"FINISHED"}


def say(layout: Any, text: str, icon: str) -> None:
    """A sentence, in as many lines as it takes: Blender cuts what is too long."""
    for number, line in enumerate(wrap(text, _LINE)):
        layout.label(text=line, icon="BLANK1" if number else icon)


def _start(operator: Any, work: Work, scene: str) -> set[str]:
    global current  # noqa: PLW0603 - a session has one
    current = work
    work.start()
    if not bpy.app.background:
        bpy.app.timers.register(lambda: _tick(work, scene), first_interval=_TICK, persistent=True)
        return {"FINISHED"}
    work.wait()
    state = _finish(work, scene)
    if state.error:
        operator.report({"ERROR"}, state.error)
        return {"CANCELLED"}
    return {"FINISHED"}


def _tick(work: Work, scene: str) -> float | None:
    for area in (area for window in bpy.context.window_manager.windows for area in window.screen.areas):
        if area.type == "PROPERTIES":
            area.tag_redraw()
    if not work.state.is_over:
        return _TICK
    _finish(work, scene)
    return None


def _finish(work: Work, scene: str) -> State:
    """Open its frames, in Blender's own thread."""
    if bpy.data.filepath == scene:  # another one may have been opened meanwhile
        show_frames(work.state.frames, f"Renderjuice {Path(scene).stem}")
    return work.state


def _started() -> dict[str, Any]:
    """What was started for the open scene and may still run; empty for nothing."""
    found = record_of(bpy.data.filepath).read() if bpy.data.filepath else {}
    return found if found.get("is_running") else {}


def _frames(context: Any) -> str:
    return str(context.window_manager.renderjuice.frames.strip() or frames_of(context.scene))


def _config(context: Any) -> dict[str, Any]:
    ranges = [part.strip() for part in _frames(context).split(",")]
    return {"colorManagementPreset": context.window_manager.renderjuice.preset, "frameRanges": ranges}


def _check_online() -> None:
    if not bpy.app.online_access:
        raise MissingError("Blender is offline: Edit > Preferences > System > Network > Allow Online Access")


def _binary() -> str:
    """Blender's own program; empty where it is a module of this Python."""
    return "" if getattr(bpy.app, "module", False) else str(bpy.app.binary_path)
