"""What `renderjuice_provider.api` offers: its names, its constructors, and the clients' methods."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys

import pytest

from renderjuice_provider import api
from renderjuice_provider.api import (
    AsyncRenderjuiceClient,
    RenderjuiceClient,
    RenderjuiceInputError,
    RetryPolicy,
    errors,
)

BOTH = pytest.mark.parametrize("kind", [RenderjuiceClient, AsyncRenderjuiceClient])
OPERATIONS = {
    "create_upload": ("file_name", "file_type"),
    "upload": ("path", "one_scene"),
    "create_job": ("slug",),
    "get_job": ("job_id",),
    "list_jobs": ("status",),
    "validate_job": ("job_id",),
    "start_render": ("job_id", "render_config"),
    "cancel_job": ("job_id",),
    "get_progress": ("job_id",),
    "get_downloads": ("job_id",),
    "download_outputs": ("job_id", "destination"),
}


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_is_there(name):
    value = getattr(api, name)
    assert value.__name__ == name
    assert value.__module__.startswith("renderjuice_provider.api.")


def test_every_error_is_public():
    found = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert found <= set(api.__all__)


def test_the_names_are_in_order_and_no_others_are_there():
    assert api.__all__ == sorted(api.__all__)
    assert dir(api) == api.__all__
    with pytest.raises(AttributeError, match="has no attribute 'RenderjuiceClinet'"):
        getattr(api, "RenderjuiceClinet")  # noqa: B009 - mypy would refuse it as an attribute


def test_importing_the_front_door_imports_nothing_behind_it():
    code = "import sys, renderjuice_provider.api; print([name for name in sys.modules if 'provider.api.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@BOTH
def test_a_constructor_names_its_arguments(kind):
    parameters = inspect.signature(kind).parameters
    assert list(parameters) == [
        "api_key",
        "base_url",
        "timeout",
        "max_attempts",
        "allow_http",
        "retry",
        "max_transfers",
    ]
    assert all(f"{name}: " in kind.__doc__ for name in parameters)
    assert {name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY} == {
        "allow_http",
        "retry",
        "max_transfers",
    }


@BOTH
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_shows_the_arguments_the_result_and_the_words_of_its_operation(kind, name):
    method = getattr(kind, name)
    signature = inspect.signature(method)
    assert tuple(signature.parameters) == ("self", *OPERATIONS[name])
    assert "Flow" not in str(signature)
    assert "Operations" not in str(signature)
    assert tuple(inspect.signature(getattr(kind("RJ-key"), name)).parameters) == OPERATIONS[name]
    assert method.__doc__
    assert f"{name}(self, {OPERATIONS[name][0]}" in pydoc.render_doc(kind, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    assert inspect.iscoroutinefunction(method) is (kind is AsyncRenderjuiceClient and name != "list_jobs")


@BOTH
def test_a_retry_policy_is_given_to_the_constructor(kind):
    retry = RetryPolicy(max_attempts=2, first_pause=0.001)
    assert kind("RJ-key", retry=retry).operations.policy is retry
    assert kind("RJ-key", max_attempts=3).operations.policy == RetryPolicy(3)
    assert kind("RJ-key").operations.policy == RetryPolicy()


@BOTH
def test_attempts_are_said_once(kind):
    with pytest.raises(RenderjuiceInputError, match="max_attempts or retry, not both"):
        kind("RJ-key", max_attempts=3, retry=RetryPolicy(3))
    with pytest.raises(RenderjuiceInputError, match="max_attempts at least 1"):
        kind("RJ-key", retry=RetryPolicy(0))
