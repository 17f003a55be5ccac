"""The conversation with Renderjuice, without the wire: what to send, and what to do when the answer is odd or lost.

Every operation is a flow (`renderjuice_provider.api._flow`). `RenderjuiceClient` and `AsyncRenderjuiceClient` only perform its
steps, so neither can know something that the other does not. Sources: the API reference, the job-lifecycle page (allowed actions by
status) and the start-render page (idempotency).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, TypeVar

from renderjuice_provider.api import errors
from renderjuice_provider.api._body import LONGEST_LIST
from renderjuice_provider.api._flow import Call, Flow, Pause, Response, RunInThread
from renderjuice_provider.api._ids import check_answer, check_job_id, same_job
from renderjuice_provider.api._reading import LONG, Reader
from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.models import RENDER_STARTED, Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.retry import Repeat, RetryPolicy, is_transient, may_have_been_executed

T = TypeVar("T")
_UNSEEN = 2
"""How often a 404 for a job that was just created is asked about again: reads may lag behind writes."""


class Operations:
    """Builds the flow of each operation. Pure but for the clock, which it is given, and for the jobs that it just created.

    Attributes:
        policy: how patient each call is.
        read: makes sense of answers.
    """

    def __init__(
        self, api_key: str, policy: RetryPolicy, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.policy = policy
        self.now = now
        self.read = Reader(api_key, now)
        self._unseen: set[str] = set()
        self._until: Callable[[], float] | None = None

    def once(self, until: Callable[[], float] | None = None) -> Self:
        """The same conversation with one attempt for each call: for who repeats calls at times of their own.

        Args:
            until: when the answer of a call is of little use any more, in seconds since the epoch; asked before each call.
        """
        same = copy(self)
        same.policy = replace(self.policy, max_attempts=1)
        same._until = until  # noqa: SLF001 - our own
        return same

    # Uploads

    def create_upload(self, file_name: str, file_type: str) -> Flow[UploadTarget]:
        """`POST /uploads`. Harmless to repeat: each call gives a new target."""
        fits = file_type in ("blend", "zip") and str(file_name).lower().endswith(f".{file_type}")
        if not fits or not isinstance(file_name, str) or not _is_text(file_name):
            raise errors.RenderjuiceInputError(
                "An upload is a .blend or a .zip with a name that is text, and its type says which: "
                f"got {redact(repr(file_name))} with type {redact(repr(file_type))}."
            )
        call = Call("POST", "/uploads", {"fileName": file_name, "fileType": file_type})
        return self.ask(call, self.read.upload_target)

    # Jobs

    def create_job(self, slug: str) -> Flow[Job]:
        """`POST /jobs`. Never repeated once it may have been carried out: that could make a second job."""
        if not isinstance(slug, str) or not slug.strip() or not _is_text(slug):
            raise errors.RenderjuiceInputError(
                "A job is made from the slug that an upload returned; this one is empty or no text."
            )
        return self._create_job(slug)

    def _create_job(self, slug: str) -> Flow[Job]:
        try:
            job = yield from self.ask(Call("POST", "/jobs", {"slug": slug}), self.read.job, Repeat.IF_NOT_DONE)
        except errors.RenderjuiceError as failure:
            if not may_have_been_executed(failure):
                raise
            raise errors.RenderjuiceAmbiguousError(
                f"The job may or may not have been created ({failure}). Nothing is rendering and nothing was spent. "
                "Upload again rather than using this slug twice."
            ) from None
        self._unseen.add(job.id.lower())
        return job

    def get_job(self, job_id: str) -> Flow[Job]:
        """`GET /jobs/{id}`. A job that this client has just created may not be visible yet: its 404 is asked about twice more."""
        job_id = check_job_id(job_id)
        return self._get_job(job_id, _UNSEEN if job_id in self._unseen else 0)

    def _get_job(self, job_id: str, unseen: int = 0) -> Flow[Job]:
        for look in range(1, unseen + 1):
            try:
                return (yield from self._see_job(job_id))
            except errors.RenderjuiceNotFoundError:
                yield Pause(self.policy.backoff(look))
        return (yield from self._see_job(job_id))

    def _see_job(self, job_id: str) -> Flow[Job]:
        job = yield from self.ask(Call("GET", f"/jobs/{job_id}"), _about(job_id, self.read.job))
        self._unseen.discard(job_id)
        return job

    def validate_job(self, job_id: str) -> Flow[Job]:
        """`POST /jobs/{id}/validate`, allowed only from `created`; on any doubt the job is read, and its status decides.

        A job that was created a moment ago may not be visible yet, so a 404 is asked about twice more.
        """
        return self._post_action(check_job_id(job_id), "validate", lambda job: job.status != JobStatus.CREATED, _UNSEEN)

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """`POST /jobs/{id}/cancel`; on any doubt the job is read. It may end `completed` all the same: look at its status."""
        return self._post_action(check_job_id(job_id), "cancel", lambda job: job.is_over)

    def start_render(self, job_id: str, render_config: RenderConfig | Mapping[str, Any]) -> Flow[Job]:
        """`POST /jobs/{id}/render`. Repeating it is safe: a started job answers with itself and `X-Idempotent-Replay`.

        When it is refused, or no attempt brings a usable answer, the job is read, and returned if its render was started.
        """
        body = {"requestedRenderConfig": check_render_config(render_config).to_json()}
        return self._start_render(check_job_id(job_id), body)

    def _start_render(self, job_id: str, body: dict[str, Any]) -> Flow[Job]:
        try:
            job = yield from self.ask(
                Call("POST", f"/jobs/{job_id}/render", body), _about(job_id, self.read.job_or_none)
            )
        except errors.RenderjuiceError as failure:
            if not (isinstance(failure, errors.RenderjuiceRefusedError) or may_have_been_executed(failure)):
                raise
            job = yield from self.get_job(job_id)
            if job.status not in RENDER_STARTED:
                raise
            return job
        return job if job is not None else (yield from self.get_job(job_id))

    def _post_action(self, job_id: str, action: str, done: Callable[[Job], bool], unseen: int = 0) -> Flow[Job]:
        """POST an action that is refused where it is too late, and read the job whenever the answer leaves a doubt."""
        attempt = 0
        body: dict[str, Any] | None = None
        while True:
            attempt += 1
            outcome = yield Call("POST", f"/jobs/{job_id}/{action}", body)
            failure = self.read.failure(outcome) or self.read.nonsense(outcome)
            if failure is None:
                job = self.read.job_if_readable(outcome)
                return (
                    job if job is not None and same_job(job.id, job_id) else (yield from self._get_job(job_id, unseen))
                )
            if isinstance(failure, errors.RenderjuiceNotFoundError) and attempt <= unseen:
                yield Pause(self.policy.backoff(attempt))
                continue
            refused = isinstance(failure, errors.RenderjuiceRefusedError)
            if not refused and not is_transient(failure):
                raise failure
            if refused or may_have_been_executed(failure):
                job = yield from self._get_job(job_id, unseen)
                if done(job):
                    return job
            if refused and body is None:
                body = {}  # the reference page of this call is not public: perhaps it was an empty body that it minded
                continue
            pause = self.policy.pause(failure, attempt, Repeat.SAFELY)
            if pause is None:
                raise failure
            yield Pause(pause)

    def get_progress(self, job_id: str | None = None) -> Flow[tuple[Progress, ...]]:
        """`GET /jobs/{id}/progress`, or of all running jobs. Empty means "no information", never "done"."""
        if job_id is None:
            return self.ask(Call("GET", "/jobs/progress"), self.read.progress)
        job_id = check_job_id(job_id)
        return self.ask(Call("GET", f"/jobs/{job_id}/progress"), partial(self.read.progress, job_id=job_id))

    def get_downloads(self, job_id: str) -> Flow[Downloads]:
        """`GET /jobs/{id}/downloads`. Empty until outputs are ready."""
        job_id = check_job_id(job_id)
        call = Call("GET", f"/jobs/{job_id}/downloads", longest=LONGEST_LIST)
        return self.ask(call, partial(self.read.downloads, job_id=job_id))

    def ask(self, call: Call, read: Callable[[Response], T], repeat: Repeat = Repeat.SAFELY) -> Flow[T]:
        """Perform `call` until an answer comes that `read` understands, or the policy gives up."""
        attempt = 0
        while True:
            attempt += 1
            outcome = yield self._in_time(call)
            failure = self.read.failure(outcome)
            if failure is None:
                try:
                    if len(outcome.body) > LONG:
                        return (yield RunInThread(partial(read, outcome)))  # type: ignore[no-any-return]
                    return read(outcome)
                except errors.RenderjuiceResponseError as nonsense:
                    failure = nonsense
            pause = self.policy.pause(failure, attempt, repeat)
            if pause is None:
                raise failure
            yield Pause(pause)

    def _in_time(self, call: Call) -> Call:
        return call if self._until is None else replace(call, within=self._until() - self.now().timestamp())


def _about(job_id: str, read: Callable[[Response], T]) -> Callable[[Response], T]:
    """`read`, which takes an answer about another job for nonsense."""

    def checked(answer: Response) -> T:
        job = read(answer)
        if isinstance(job, Job):
            check_answer(job.id, job_id)
        return job

    return checked


def _is_text(value: str) -> bool:
    """Whether it can be sent: a file name that was not UTF-8 holds lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
