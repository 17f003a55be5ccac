"""What the studio sets once: Edit > Preferences > Add-ons > Renderjuice. No key and no password."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import keys
from .airflow import SHOT_DAG, Airflow, check_address
from .direct import account
from .records import Record
from .work import OwnJob, Pipeline

PIPELINE, JOB = "PIPELINE", "JOB"


class MissingError(Exception):
    """Something is not set; the text says what, and where."""


class RenderjuicePreferences(bpy.types.AddonPreferences):
    """The two ways to render, and what each needs."""

    bl_idname = __package__

    way: EnumProperty(
        name="Render with",
        items=[
            (PIPELINE, "The studio's pipeline", "Airflow renders, composites and delivers"),
            (JOB, "Renderjuice alone", "One job; its frames come back here"),
        ],
        default=PIPELINE,
    )
    airflow_url: StringProperty(name="Airflow", description="Its address, as in the browser")
    allow_http: BoolProperty(
        name="Without encryption", description="Permit http: passwords can be read on the way. For closed networks only"
    )
    user: StringProperty(name="User", description="Your name in Airflow")
    dag_id: StringProperty(name="DAG", default=SHOT_DAG, description="The pipeline; it takes renderjuice_shot's params")
    folder: StringProperty(
        name="Shared folder", subtype="DIR_PATH", description="Packed scenes are put here. Airflow's workers see it too"
    )
    folder_there: StringProperty(
        name="Its path there", description="The shared folder as workers see it; empty where it is the same path"
    )
    destination: StringProperty(
        name="Deliveries", description="Where the pipeline delivers to, as workers see it; empty leaves that to the DAG"
    )
    base_url: StringProperty(
        name="API", description="Renderjuice's address; empty for its own. An emulator has another"
    )

    def draw(self, context: Any) -> None:
        """Only what the chosen way needs."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "way")
        names = ["base_url"]
        if self.way == PIPELINE:
            names = ["airflow_url", "allow_http", "user", "dag_id", "folder", "folder_there", "destination"]
        for name in names:
            layout.prop(self, name)
        layout.operator("renderjuice.sign_in")


def preferences() -> Any:
    """The preferences of this extension."""
    return bpy.context.preferences.addons[__package__].preferences


def pipeline(conf: dict[str, Any]) -> Pipeline:
    """The studio's pipeline, as it is set.

    Raises:
        MissingError: for what is not set.
        AirflowError: for an address that cannot be one.
    """
    chosen = preferences()
    if not chosen.folder:
        raise MissingError("Fill in the shared folder: Edit > Preferences > Add-ons > Renderjuice")
    token = keys.find(keys.TOKEN)
    if not token:
        raise MissingError("Sign in to Airflow first (Sign in, in the panel)")
    airflow = Airflow(address(), token, chosen.dag_id or SHOT_DAG)
    destination = {"destination": chosen.destination} if chosen.destination else {}
    return Pipeline(airflow, Path(bpy.path.abspath(chosen.folder)), chosen.folder_there, conf | destination)


def own_job(config: dict[str, Any]) -> OwnJob:
    """A job without Airflow, as it is set.

    Raises:
        KeyMissing: without a key.
    """
    return OwnJob(account(keys.find(keys.API_KEY), preferences().base_url), config)


def address() -> str:
    """Airflow's, checked.

    Raises:
        AirflowError: for one that cannot be right.
    """
    chosen = preferences()
    return check_address(chosen.airflow_url, allow_http=chosen.allow_http)


def own_folder(name: str) -> Path:
    """A folder of this extension's own, which an update leaves alone."""
    return Path(bpy.utils.extension_path_user(__package__, path=name, create=True))


def record_of(scene: str) -> Record:
    """What was started for a scene."""
    return Record(own_folder("renders"), scene)
