"""Every error says, in fields and in words, what happened to the money and what a retry does."""

from __future__ import annotations

import copy
import inspect
import itertools
import pickle

import pytest

from renderjuice_provider import _job_errors  # noqa: F401 - for the tree
from renderjuice_provider.api import errors
from renderjuice_provider.api._money import bill_of, sentence
from renderjuice_provider.api.errors import Bill, RenderjuiceError, RenderjuiceJobError, RetryEffect
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import LONGEST_STORY
from renderjuice_provider.lifecycle.unfinished import leaves

NEEDED = {"sent": True, "status_code": 503}
JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def tree(root: type[RenderjuiceError] = RenderjuiceError) -> list[type[RenderjuiceError]]:
    found = [root]
    for child in root.__subclasses__():
        found += [kind for kind in tree(child) if kind.__module__.startswith("renderjuice_provider.")]
    return list(dict.fromkeys(found))


def made(kind: type[RenderjuiceError], message: str = "It went wrong", **arguments: object) -> RenderjuiceError:
    needed = {name: value for name, value in NEEDED.items() if name in inspect.signature(kind).parameters}
    return kind(message, **needed, **arguments)


def end_of(error: RenderjuiceError) -> str:
    return sentence(
        error.bill,
        error.retry,
        error.next_step,
        normalized_seconds=error.normalized_seconds,
        job_id=error.job_id,
    )


every_error = pytest.mark.parametrize("kind", tree(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")


@every_error
def test_every_error_has_both_fields_and_a_last_sentence_that_follows_from_them(kind):
    error = made(kind)
    assert isinstance(error.bill, Bill)
    assert isinstance(error.retry, RetryEffect)
    assert str(error) == f"It went wrong. {end_of(error)}"
    assert error.what == "It went wrong"
    if kind is not RenderjuiceError:
        assert Bill.UNKNOWN is not error.bill
        assert RetryEffect.UNKNOWN is not error.retry


@every_error
def test_what_the_place_that_raises_knows_better_replaces_the_default_of_the_class(kind):
    money = {"bill": Bill.MAY_RUN, "retry": RetryEffect.STOPS_AGAIN, "next_step": "stop it", "job_id": JOB_ID}
    end = f"The job may be running, and costs money: stop it; a retry tries again to stop it. (job {JOB_ID})"
    assert str(made(kind, **money)) == f"It went wrong. {end}"
    settled = made(kind)
    assert settled.settle(**money) is settled
    assert (str(settled), settled.bill) == (f"It went wrong. {end}", Bill.MAY_RUN)


@every_error
def test_an_error_survives_pickle_and_copy_with_all_its_fields(kind):
    error = made(kind, bill=Bill.BILLED, normalized_seconds=12.5, job_id=JOB_ID)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@every_error
def test_a_long_reason_does_not_hide_what_happened_to_the_money(kind):
    error = made(kind, "never " * 5000, job_id=JOB_ID)
    assert len(str(error)) <= LONGEST_STORY
    assert str(error).endswith(f"… {end_of(error)}")


@every_error
def test_neither_the_reason_nor_the_next_step_shows_a_signature(kind):
    url = "https://store.test/a?X-Amz-Signature=secret"
    error = made(kind, f"Not stored: {url}", next_step=f"see {url}")
    for text in (str(error), repr(error), error.what):
        assert "secret" not in text


@pytest.mark.parametrize(("bill", "retry"), list(itertools.product(Bill, RetryEffect)))
@pytest.mark.parametrize("next_step", ["", "do this"])
def test_each_pair_of_fields_makes_sentences_that_are_unlike_all_others(bill, retry, next_step):
    end = sentence(bill, retry, next_step, job_id=JOB_ID)
    assert end[0].isupper()
    assert end.endswith(f". (job {JOB_ID})")
    assert end.count("retry") == 1
    assert next_step in end
    others = [pair for pair in itertools.product(Bill, RetryEffect) if pair != (bill, retry)]
    assert all(sentence(*other, next_step, job_id=JOB_ID) != end for other in others)


def test_the_docstring_draws_the_whole_tree():
    drawn = {line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines() if "─ R" in line}
    assert drawn | {"RenderjuiceError"} == {kind.__name__ for kind in tree() if not kind.__name__.startswith("_")}


@pytest.mark.parametrize(
    ("fields", "ordered", "bill"),
    [
        ({"normalizedSeconds": 12.5}, False, Bill.BILLED),
        ({"normalizedSeconds": 0}, True, Bill.NOTHING_RENDERED),
        ({"requestedConfig": {}}, False, Bill.BILLED),
        ({"finalConfig": {}}, None, Bill.BILLED),
        ({}, None, Bill.BILLED_IF_RENDERED),
        ({}, True, Bill.BILLED),
        ({}, False, Bill.NOTHING_RENDERED),
    ],
)
def test_what_a_job_has_cost_is_never_guessed_to_be_nothing(fields, ordered, bill):
    assert bill_of(Job.model_validate({"id": "j", "status": "failed"} | fields), render_ordered=ordered) is bill


def test_an_error_about_a_job_says_what_that_job_has_cost():
    job = Job(id=JOB_ID, status="failed", normalized_seconds=12.5)
    error = RenderjuiceJobError("The job failed: no camera", job=job)
    assert str(error) == (
        "The job failed: no camera. Nothing is running; 12.5 normalized seconds are billed. "
        f"A retry cannot help. (job {JOB_ID})"
    )


@pytest.mark.parametrize(
    ("status", "bill", "retry"),
    [
        (None, Bill.LEFT_ALONE, RetryEffect.READS_AGAIN),
        ("validated", Bill.NOTHING_ORDERED, RetryEffect.READS_AGAIN),
        ("rendering", Bill.RUNNING, RetryEffect.REATTACHES),
        ("suspended", Bill.LEFT_ALONE, RetryEffect.READS_AGAIN),
        ("a new one", Bill.LEFT_ALONE, RetryEffect.READS_AGAIN),
        ("completed", Bill.KEPT, RetryEffect.READS_AGAIN),
    ],
)
def test_a_call_that_fails_says_what_goes_on_without_it(status, bill, retry):
    job = Job(id=JOB_ID, status=status) if status else None
    error = leaves(made(errors.RenderjuiceConnectionError), job, JOB_ID)
    assert (error.bill, error.retry, error.job_id) == (bill, retry, JOB_ID)
    refused = leaves(made(errors.RenderjuiceAuthenticationError), job, JOB_ID)
    assert (refused.bill, refused.retry) == (bill, RetryEffect.AFTER_CORRECTION)
    spoken = RenderjuiceJobError("The job failed", job=Job(id="another", status="failed"))
    assert leaves(spoken, job, JOB_ID).job_id == "another"
    assert leaves(made(errors.RenderjuiceConnectionError), None).bill is Bill.UNCHANGED
