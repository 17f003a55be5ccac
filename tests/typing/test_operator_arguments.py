"""The arguments that mypy takes for Airflow's are those of the Airflow that is installed."""

from __future__ import annotations

import inspect
import subprocess
import sys

from airflow.sdk import BaseOperator, BaseSensorOperator

from renderjuice_provider._operator_arguments import OperatorArguments, SensorArguments

NOT_EVERYWHERE = {"render_template_as_native_obj", "retry_policy"}
"""What came with Airflow 3.2 and 3.3; 3.1 does not know it."""
OURS = {"poke_interval", "timeout"}
"""Airflow's arguments that the sensor declares itself."""


def named(airflows: type) -> set[str]:
    """The arguments that a class of Airflow's names."""
    return {
        name
        for name, parameter in inspect.signature(airflows.__init__).parameters.items()  # type: ignore[misc]
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }


def test_every_argument_of_an_operator_of_airflows_is_listed():
    assert named(BaseOperator) - OperatorArguments.__annotations__.keys() == set()


def test_no_operator_argument_is_listed_that_airflow_does_not_know():
    assert OperatorArguments.__annotations__.keys() - named(BaseOperator) - NOT_EVERYWHERE == set()


def test_the_arguments_of_a_sensor_are_those_of_airflows():
    listed = SensorArguments.__annotations__.keys() - OperatorArguments.__annotations__.keys()
    assert listed == named(BaseSensorOperator) - OURS


def test_reading_a_dag_does_not_import_the_list():
    code = """
import sys
import renderjuice_provider.operators.renderjuice, renderjuice_provider.sensors.renderjuice
print("renderjuice_provider._operator_arguments" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("False\n")
