"""What Airflow does with a task after one of our errors."""

from __future__ import annotations

import json
from datetime import timedelta

import airflow.sdk
import pytest

from renderjuice_provider._retry_decision import Decision, Effect, decide
from renderjuice_provider.api import errors
from renderjuice_provider.api.errors import Bill, RetryEffect
from renderjuice_provider.operators.renderjuice import RenderjuiceJobOverError, RenderjuiceRenderJobOperator
from tests.support.runner import CONFIG

DELAY, LONGEST = timedelta(minutes=5), timedelta(minutes=30)
RUNNING = {"bill": Bill.RUNNING, "retry": RetryEffect.REATTACHES}
WORTH_WAITING = {
    "no response": errors.RenderjuiceConnectionError("Renderjuice did not answer", sent=False),
    "nonsense": errors.RenderjuiceResponseError("Renderjuice's response is not JSON"),
    "402": errors.RenderjuicePaymentError("Renderjuice answered 402", status_code=402),
    "429": errors.RenderjuiceRateLimitError("Renderjuice answered 429", status_code=429),
    "farm full": errors.RenderjuiceServerError("Renderjuice answered 503: no capacity", status_code=503),
    "store away": errors.RenderjuiceTransferError("The scene was not stored whole"),
    "response to create lost": errors.RenderjuiceAmbiguousError("No response to create-job"),
    "503 while it renders": errors.RenderjuiceServerError("Renderjuice answered 503", status_code=503, **RUNNING),
}
HOPELESS = {
    "bad input": errors.RenderjuiceInputError("shot.blend is no .blend file"),
    "401": errors.RenderjuiceAuthenticationError("Renderjuice answered 401", status_code=401),
    "403": errors.RenderjuiceAuthenticationError("Renderjuice answered 403", status_code=403),
    "404": errors.RenderjuiceNotFoundError("Renderjuice answered 404", status_code=404),
    "409": errors.RenderjuiceRefusedError("Renderjuice answered 409", status_code=409),
    "job failed": errors.RenderjuiceJobError("The job failed: out of memory"),
    "job failed, and a retry makes another": errors.RenderjuiceJobError("It failed", retry=RetryEffect.NEW_JOB),
    "job over": RenderjuiceJobOverError("The job was canceled"),
    "incomplete": errors.RenderjuiceIncompleteError("Frames 2 and 5 are missing"),
}
AS_USUAL = {
    "not ours": ValueError("?"),
    "our deadline, and the job was left running": errors.RenderjuiceTimeoutError("timed out", bill=Bill.RUNNING),
    "a job that could not be stopped": errors.RenderjuiceTimeoutError("timed out", retry=RetryEffect.STOPS_AGAIN),
    "an event of another version": errors.RenderjuiceEventError("What event is this?"),
    "killed": KeyboardInterrupt(),
}
EFFECTS = {
    **{(Effect.WAIT, name): error for name, error in WORTH_WAITING.items()},
    **{(Effect.FAIL, name): error for name, error in HOPELESS.items()},
    **{(Effect.AS_USUAL, name): error for name, error in AS_USUAL.items()},
}
needs_policies = pytest.mark.skipif(not hasattr(airflow.sdk, "RetryPolicy"), reason="this Airflow has no policies")
RESCHEDULES = hasattr(getattr(airflow.sdk, "RetryAction", None), "RESCHEDULE")


def decided(error, waits=0):
    return decide(error, waits, DELAY, LONGEST)


@pytest.mark.parametrize(("effect", "name"), EFFECTS, ids=str)
def test_an_error_leads_to(effect, name):
    assert decided(EFFECTS[effect, name]).effect is effect


@pytest.mark.parametrize("name", [*WORTH_WAITING, *HOPELESS])
def test_the_reason_is_one_line_that_says_what_went_wrong(name):
    error = (WORTH_WAITING | HOPELESS)[name]
    reason = decided(error).reason
    assert error.what in reason
    assert "\n" not in reason


def test_a_long_reason_fits_where_airflow_stores_it():
    error = errors.RenderjuiceInputError("no " * 1000)
    assert 400 < len(decided(error).reason) <= 500


def test_delays_double_up_to_the_longest():
    error = WORTH_WAITING["farm full"]
    found = [decided(error, waits).delay for waits in (0, 1, 2, 3, 1000)]
    assert found == [DELAY, 2 * DELAY, 4 * DELAY, LONGEST, LONGEST]


@pytest.mark.parametrize(("asked", "delay"), [(1.0, DELAY), (2400.0, timedelta(minutes=40)), (1e9, timedelta(hours=1))])
def test_no_delay_is_shorter_than_the_server_asks_for(asked, delay):
    error = errors.RenderjuiceRateLimitError("429", status_code=429, retry_after=asked)
    assert decided(error).delay == delay


def test_what_is_not_ours_is_decided_by_airflow_without_a_word():
    assert decided(OSError("the disk is full")) == Decision(Effect.AS_USUAL)


def test_without_policies_in_airflow_the_module_is_there_and_the_name_is_not():
    from renderjuice_provider import retry_policy

    assert hasattr(retry_policy, "RenderjuiceRetryPolicy") is hasattr(airflow.sdk, "RetryPolicy")


@pytest.fixture
def policy():
    from renderjuice_provider.retry_policy import RenderjuiceRetryPolicy

    return RenderjuiceRetryPolicy(delay=DELAY, longest_delay=LONGEST, patience=timedelta(hours=6))


@needs_policies
def test_the_policy_fails_at_once_and_says_why(policy):
    found = policy.evaluate(HOPELESS["bad input"], try_number=1, max_tries=4)
    assert found.action is airflow.sdk.RetryAction.FAIL
    expected = "Not retried, since it fails alike until it is corrected: shot.blend is no .blend file"
    assert found.reason == expected


@needs_policies
def test_the_policy_leaves_other_errors_to_airflow(policy):
    assert policy.evaluate(ValueError("?"), try_number=1, max_tries=4) == airflow.sdk.RetryDecision.default()


@needs_policies
def test_the_policy_waits_longer_each_time_and_up_to_a_tenth_more_than_that(policy):
    context = {"task_reschedule_count": 2}
    found = policy.evaluate(WORTH_WAITING["402"], try_number=3, max_tries=4, context=context)
    assert 4 * DELAY <= found.retry_delay <= 4 * DELAY * 1.1
    assert found.reason == "Worth waiting for: Renderjuice answered 402"


@needs_policies
@pytest.mark.skipif(RESCHEDULES, reason="this Airflow reschedules instead")
def test_where_airflow_cannot_reschedule_waiting_is_a_retry(policy):
    found = policy.evaluate(WORTH_WAITING["402"], try_number=1, max_tries=4)
    assert found.action is airflow.sdk.RetryAction.RETRY


@pytest.mark.skipif(not RESCHEDULES, reason="this Airflow retries instead")
def test_where_airflow_can_reschedule_waiting_uses_up_no_retry_and_ends_after_the_patience_over_all_tries(policy):
    found = policy.evaluate(WORTH_WAITING["402"], try_number=1, max_tries=4)
    assert found.action.value == "reschedule"
    assert found.reschedule_timeout * 5 == timedelta(hours=6)


@needs_policies
def test_the_policy_survives_being_stored(policy):
    stored = json.loads(json.dumps(policy.serialize()))
    assert type(policy).deserialize(stored).serialize() == policy.serialize()


@needs_policies
def test_a_dag_with_the_policy_can_be_stored(policy):
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("with_policy", schedule=None, default_args={"retry_policy": policy, "retries": 4}) as dag:
        RenderjuiceRenderJobOperator(task_id="one", job_id="job", render_config=CONFIG)
        RenderjuiceRenderJobOperator.partial(task_id="many", render_config=CONFIG).expand(job_id=["a", "b"])
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(stored).get_task("one").has_retry_policy
