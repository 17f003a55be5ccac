"""The panel, in Properties > Output, and an entry in the menu Render."""

from typing import Any

import bpy
from bpy.props import EnumProperty, PointerProperty, StringProperty

from . import operators
from .preferences import JOB, RenderjuicePreferences, preferences
from .work import State


class RenderjuiceSettings(bpy.types.PropertyGroup):
    """What is chosen for the next render of this session."""

    quality: EnumProperty(
        name="Quality",
        items=[
            ("auto", "Auto", "The pipeline decides, by shot"),
            ("economical", "Economical", "For looking at it"),
            ("final", "Final", "For delivery"),
        ],
    )
    preset: EnumProperty(
        name="Colours", items=[("default", "As in the scene", ""), ("aces", "ACES", "The project is ACES-managed")]
    )
    frames: StringProperty(name="Frames", description="Such as 1-24 or 1,5,9; empty for those of the scene")


class RENDERJUICE_PT_render(bpy.types.Panel):
    """Render on the farm."""

    bl_label = "Renderjuice"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"

    def draw(self, context: Any) -> None:
        """Settings, what happens, and what can be done."""
        layout, settings = self.layout, context.window_manager.renderjuice
        layout.use_property_split = True
        layout.prop(settings, "frames")
        layout.prop(settings, "preset" if preferences().way == JOB else "quality")
        if operators.current is not None:
            self._draw_state(operators.current.state)
        row = layout.row(align=True)
        row.operator("renderjuice.check")
        row.operator("renderjuice.sign_in")
        layout.operator("renderjuice.render", icon="RENDER_ANIMATION")
        row = layout.row(align=True)
        row.operator("renderjuice.take_up")
        row.operator("renderjuice.stop")

    def _draw_state(self, state: State) -> None:
        if state.error:
            operators.say(self.layout, state.error, "ERROR")
        elif state.done is not None and state.total:
            text = f"{state.stage}: {state.done} of {state.total} frames"
            self.layout.progress(factor=state.done / state.total, text=text)
        else:
            self.layout.label(text=state.stage[:1].upper() + state.stage[1:])


CLASSES = (
    RenderjuicePreferences,
    RenderjuiceSettings,
    operators.RENDERJUICE_OT_check,
    operators.RENDERJUICE_OT_render,
    operators.RENDERJUICE_OT_take_up,
    operators.RENDERJUICE_OT_stop,
    operators.RENDERJUICE_OT_sign_in,
    RENDERJUICE_PT_render,
)


def _menu(self: Any, _: Any) -> None:
    self.layout.separator()
    self.layout.operator("renderjuice.render", icon="RENDER_ANIMATION")


def register() -> None:
    """Show it."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.WindowManager.renderjuice = PointerProperty(type=RenderjuiceSettings)
    bpy.types.TOPBAR_MT_render.append(_menu)


def unregister() -> None:
    """Hide it."""
    bpy.types.TOPBAR_MT_render.remove(_menu)
    del bpy.types.WindowManager.renderjuice
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
