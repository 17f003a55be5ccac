"""One task for each wait that is planned in the file that `RENDERJUICE_HOSTILE_PLAN` names."""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.sdk import DAG

from renderjuice_provider.operators.renderjuice import RenderjuiceValidateJobOperator
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor

KINDS = {"wait": RenderjuiceJobSensor, "validate": RenderjuiceValidateJobOperator}

with DAG("hostile", schedule=None, catchup=False, max_active_tasks=100):
    for planned in json.loads(Path(os.environ["RENDERJUICE_HOSTILE_PLAN"]).read_text()):
        KINDS[planned.pop("kind")](poll_interval=1, **planned)
