"""Constructions that mypy must refuse, each with the code of its error.

`test_typing.py` runs mypy over this file.
"""

from __future__ import annotations

from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators.renderjuice import RenderjuiceCancelJobOperator as Cancel
from renderjuice_provider.operators.renderjuice import RenderjuiceCreateJobOperator as Create
from renderjuice_provider.operators.renderjuice import RenderjuiceDownloadOperator as Download
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderFramesOperator as Frames
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderJobOperator as Render
from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator as Run
from renderjuice_provider.operators.renderjuice import RenderjuiceUploadOperator as Upload
from renderjuice_provider.operators.renderjuice import RenderjuiceValidateJobOperator as Validate
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor as Sensor
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger as Trigger

LEAST = {"colorManagementPreset": "default"}

Upload(task_id="x")  # call-arg
Upload(file_path="y")  # call-arg
Upload(task_id="x", file_path=3)  # arg-type
Upload(task_id="x", file_path="y", retrys=2)  # call-arg
Upload(task_id="x", file_path="y", renderjuice_connection_id="farm")  # call-arg
Upload(task_id="x", file_path="y", retries="two")  # arg-type
Upload("y", task_id="x")  # call-arg
Create(task_id="x")  # call-arg
Create(task_id="x", slug=7)  # arg-type
Create(task_id="x", slug="s", job_id="id")  # call-arg
Create(task_id="x", slug="s", renderjuice_conn_id=None)  # arg-type
Validate(task_id="x")  # call-arg
Validate(task_id="x", job_id="id", poll_intervall=5)  # call-arg
Validate(task_id="x", job_id="id", timeout="an hour")  # arg-type
Validate(task_id="x", job_id=7)  # arg-type
Validate(task_id="x", job_id="id", cancel_on_timeout=True)  # call-arg
Render(task_id="x", job_id="id")  # call-arg
Render(task_id="x", render_config=LEAST)  # call-arg
Render(task_id="x", job_id="id", render_config=LEAST, wait="no")  # arg-type
Render(task_id="x", job_id="id", render_config=[LEAST])  # arg-type
Render(task_id="x", job_id="id", render_config=LEAST, on_clear="resubmit")  # call-arg
Render("id", task_id="x", render_config=LEAST)  # call-arg
Run(task_id="x", file_path="y")  # call-arg
Run(task_id="x", file_path="y", render_config=LEAST, cancel_on_kil=False)  # call-arg
Run(task_id="x", file_path="y", render_config=LEAST, poll_interval="soon")  # arg-type
Run(task_id="x", file_path="y", render_config=LEAST, on_clear="again")  # arg-type
Run(task_id="x", file_path="y", render_config=LEAST, deferrable="yes")  # arg-type
Run(task_id="x", file_path=["y"], render_config=LEAST)  # arg-type
Frames(task_id="x", file_path="y", render_config=LEAST)  # call-arg
Frames(task_id="x", file_path="y", destination="out")  # call-arg
Frames(task_id="x", file_path="y", render_config=LEAST, destination="out", wait=True)  # call-arg
Frames(task_id="x", file_path="y", render_config=LEAST, destination="out", rounds="three")  # arg-type
Frames(task_id="x", file_path="y", render_config=LEAST, destination="out", is_whole="whole")  # arg-type
Cancel(task_id="x")  # call-arg
Cancel(task_id="x", job_id=7)  # arg-type
Cancel(task_id="x", job_id="id", wait=True)  # call-arg
Cancel(task_id="x", job_id="id", timeout=None)  # arg-type
Download(task_id="x", job_id="id")  # call-arg
Download(task_id="x", job_id="id", destination=None)  # arg-type
Download(task_id="x", job_id="id", destination="out", allow_missing="all")  # arg-type
Download(task_id="x", job_id="id", destination="out", expected_frames=24)  # arg-type
Download(task_id="x", job_id="id", destinaton="out")  # call-arg
Sensor(task_id="x")  # call-arg
Sensor(task_id="x", job_id="id", target="completed")  # call-arg
Sensor(task_id="x", job_id="id", poll_interval="soon")  # arg-type
Sensor(task_id="x", job_id="id", soft_fail="yes")  # arg-type
Sensor(task_id="x", job_id="id", cancel_on_kill=True)  # call-arg
Trigger(renderjuice_conn_id="farm", job_id="id", target="completed", poll_interval=30)  # call-arg
Trigger(renderjuice_conn_id="c", job_id="i", target="t", poll_interval="30", started=0, deadline=1)  # arg-type
Trigger("farm", "id", "completed", 30, 0, 1)  # call-arg
RenderjuiceHook(conn_id="farm")  # call-arg
RenderjuiceHook(7)  # arg-type
RenderjuiceClient()  # call-arg
RenderjuiceClient(3)  # arg-type
RenderjuiceClient("RJ-key", timeout_s=3)  # call-arg
RenderjuiceClient("RJ-key", timeout="x")  # arg-type
RenderjuiceClient("RJ-key", "https://farm.example/v1", 30.0, 5, True)  # call-arg
AsyncRenderjuiceClient()  # call-arg
AsyncRenderjuiceClient("RJ-key", max_attempts="three")  # arg-type
AsyncRenderjuiceClient("RJ-key", url="https://farm.example/v1")  # call-arg
