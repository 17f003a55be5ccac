"""What each call of the API sends, and what happens when its response is odd or lost.

Every operation is a flow (see `renderjuice_provider.api._flow`), so it is written once for both
clients; `renderjuice_provider.api.client` makes a method of each. The docstrings here are those of
the clients' methods. Sources: the API reference, the job-lifecycle page (allowed actions by status)
and the start-render page (idempotency).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, TypeVar

from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import Call, Flow, NoResponse, Pause, Response, RunInThread
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._money import Money
from renderjuice_provider.api._reading import LONG, Reader
from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.models import RENDER_STARTED, Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.retry import Repeat, RetryPolicy, is_transient, may_have_been_executed

T = TypeVar("T")
_CHECKED_ID = re.compile("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}").fullmatch
"""Matches what `check_job_id` would return as it is."""
_UNSEEN = 2
"""Retries of a 404 for a job that was just created: reads may lag behind writes."""
_LONGEST_LIST = 128 << 20
"""Bytes of a list of signed URLs: 100,000 frames with two URLs of 600 characters each."""

_utc_now: Callable[[], datetime] = partial(datetime.now, UTC)

_MAY_RENDER: Money = {"bill": errors.Bill.MAY_RUN, "retry": errors.RetryEffect.REATTACHES}


class Operations:
    """Makes the flow of each operation. Pure, but for the clock, which it is given.

    Attributes:
        policy: how patient each call is.
        now: the clock.
        read: makes values and errors of responses.
    """

    def __init__(self, api_key: str, policy: RetryPolicy, now: Callable[[], datetime] = _utc_now) -> None:
        self.policy = policy
        self.now = now
        self.read = Reader(api_key, now)
        self._unseen: set[str] = set()  # jobs that were created here, and not read since
        self._until: Callable[[], float] | None = None

    def once(self, until: Callable[[], float] | None = None) -> Self:
        """The same operations with one attempt for each call, for callers that retry by themselves.

        Both know which jobs were just created.

        Args:
            until: when the response of a call is of little use any more, in seconds since the
                epoch; asked before each call.
        """
        same = copy(self)
        same.policy = replace(self.policy, max_attempts=1)
        same._until = until  # noqa: SLF001 - our own
        return same

    # Uploads

    def create_upload(self, file_name: str, file_type: str) -> Flow[UploadTarget]:
        """Get a presigned URL for one `.blend` or `.zip`: `POST /uploads`.

        Repeating it is harmless: each call gives a new target.

        Args:
            file_name: such as `shot.blend`.
            file_type: `blend` or `zip`.
        """
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
        """Create a job from an uploaded scene: `POST /jobs`.

        Never repeated once it may have been executed, because that could make a second job.

        Args:
            slug: of the upload.

        Raises:
            RenderjuiceAmbiguousError: when the job may or may not have been created.
        """
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
                f"The job may or may not have been created ({failure.what})",
                next_step="upload again rather than using this slug twice",
            ) from None
        self._unseen.add(job.id.lower())
        return job

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get the job as it is now: `GET /jobs/{id}`.

        A job that this client has just created may not be visible yet, so its 404 is retried twice.
        """
        if not isinstance(job_id, str) or not _CHECKED_ID(job_id):  # those of a poll match
            job_id = check_job_id(job_id)
        return self._get_new_job(job_id) if job_id in self._unseen else self._get_job(job_id)

    def _get_job(self, job_id: str) -> Flow[Job]:
        return self.ask(Call("GET", f"/jobs/{job_id}"), partial(self.read.job, job_id=job_id))

    def _get_new_job(self, job_id: str) -> Flow[Job]:
        for attempt in range(1, _UNSEEN + 1):
            try:
                job = yield from self._get_job(job_id)
                break
            except errors.RenderjuiceNotFoundError:
                yield from Pause(self.policy.backoff(attempt))
        else:
            job = yield from self._get_job(job_id)
        self._unseen.discard(job_id)
        return job

    def validate_job(self, job_id: str) -> Flow[Job]:
        """Start validation: `POST /jobs/{id}/validate`. A job that is past it is returned as it is.

        It is allowed only from `created`; on any doubt the job is read, and its status decides. A
        job that was created a moment ago may not be visible yet, so a 404 is retried twice.
        """
        job_id = check_job_id(job_id)
        return self._post_action(job_id, "validate", lambda job: job.status != JobStatus.CREATED, _UNSEEN)

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel the job: `POST /jobs/{id}/cancel`. A job that is over is returned as it is.

        On any doubt the job is read. It may have completed meanwhile, so check the status of what
        is returned.
        """
        return self._cancel(check_job_id(job_id))

    def _cancel(self, job_id: str) -> Flow[Job]:
        try:
            return (yield from self._post_action(job_id, "cancel", lambda job: job.is_over))
        except errors.RenderjuiceError as failure:
            again = errors.RetryEffect.STOPS_AGAIN
            if failure.retry is errors.RetryEffect.AFTER_CORRECTION:
                again = failure.retry
            failure.settle(bill=errors.Bill.MAY_RUN, retry=again, job_id=job_id)
            raise

    def start_render(self, job_id: str, render_config: RenderConfig | Mapping[str, Any]) -> Flow[Job]:
        """Start rendering, which costs money from here on: `POST /jobs/{id}/render`.

        Repeating it is safe: a started job answers with itself. When it is refused, or no attempt
        brings a usable response, the job is read, and returned if its render was started.

        Args:
            job_id: of a validated job.
            render_config: what to render and how; checked before anything is sent.
        """
        body = {"requestedRenderConfig": check_render_config(render_config).to_json()}
        return self._start_render(check_job_id(job_id), body)

    def _start_render(self, job_id: str, body: dict[str, Any]) -> Flow[Job]:
        try:
            call = Call("POST", f"/jobs/{job_id}/render", body)
            job = yield from self.ask(call, partial(self.read.job_or_none, job_id=job_id))
        except errors.RenderjuiceError as failure:
            refused = isinstance(failure, errors.RenderjuiceRefusedError)
            if not (refused or may_have_been_executed(failure)):
                raise
            if not refused:
                failure.settle(**_MAY_RENDER).settle(job_id=job_id)
            job = yield from self._get_ordered(job_id)
            if job.status not in RENDER_STARTED:
                raise
            return job
        return job if job is not None else (yield from self._get_ordered(job_id))

    def _get_ordered(self, job_id: str) -> Flow[Job]:
        """The job, whose render was ordered or may have been."""
        try:
            return (yield from self.get_job(job_id))
        except errors.RenderjuiceError as failure:
            failure.settle(**_MAY_RENDER).settle(job_id=job_id)
            raise

    def _post_action(self, job_id: str, action: str, done: Callable[[Job], bool], retries_of_404: int = 0) -> Flow[Job]:
        """POST an action that is refused when it comes too late; on any doubt the job is read."""
        read_job = self._get_new_job if retries_of_404 else self._get_job
        attempt = 0
        body: dict[str, Any] | None = None
        while True:
            attempt += 1
            outcome = yield from Call("POST", f"/jobs/{job_id}/{action}", body)
            if isinstance(outcome, Response) and outcome.ok:
                failure = self.read.nonsense(outcome)
                if failure is None:
                    job = self.read.job_if_readable(outcome, job_id)
                    return job if job is not None else (yield from read_job(job_id))
            else:
                failure = self.read.error(outcome)
            if isinstance(failure, errors.RenderjuiceNotFoundError) and attempt <= retries_of_404:
                yield from Pause(self.policy.backoff(attempt))
                continue
            refused = isinstance(failure, errors.RenderjuiceRefusedError)
            if not refused and not is_transient(failure):
                raise failure
            if refused or may_have_been_executed(failure):
                job = yield from read_job(job_id)
                if done(job):
                    return job
            if refused and body is None:
                body = {}  # the page of this call is not public: perhaps it requires a JSON body
                continue
            pause = self.policy.pause(failure, attempt, Repeat.SAFELY)
            if pause is None:
                raise failure
            yield from Pause(pause)

    def get_progress(self, job_id: str | None = None) -> Flow[tuple[Progress, ...]]:
        """Get the counters of one job, or of all that run: `GET /jobs/{id}/progress`.

        Empty means "no information", never "done".
        """
        if job_id is None:
            return self.ask(Call("GET", "/jobs/progress"), self.read.progress)
        if not isinstance(job_id, str) or not _CHECKED_ID(job_id):  # those of a poll match
            job_id = check_job_id(job_id)
        return self.ask(Call("GET", f"/jobs/{job_id}/progress"), partial(self.read.progress, job_id=job_id))

    def get_downloads(self, job_id: str) -> Flow[Downloads]:
        """Get the signed URLs of a job's outputs: `GET /jobs/{id}/downloads`.

        Empty until outputs are ready. The URLs expire: use them at once, store them nowhere.
        """
        job_id = check_job_id(job_id)
        call = Call("GET", f"/jobs/{job_id}/downloads", longest=_LONGEST_LIST)
        return self.ask(call, partial(self.read.downloads, job_id=job_id))

    def ask(self, call: Call, read: Callable[[Response], T], repeat: Repeat = Repeat.SAFELY) -> Flow[T]:
        """Perform `call` until a response comes that `read` understands, or the policy gives up."""
        attempt = 0
        while True:
            attempt += 1
            if self._until is not None:
                call = replace(call, within=self._until() - self.now().timestamp())
            # Every call passes here, so `yield from call` and `outcome.ok` are written out.
            outcome: Response | NoResponse = yield call
            failure: errors.RenderjuiceError
            if isinstance(outcome, Response) and 200 <= outcome.status < 300:
                try:
                    if len(outcome.body) > LONG:
                        return (yield from RunInThread(partial(read, outcome)))
                    return read(outcome)
                except errors.RenderjuiceResponseError as nonsense:
                    failure = nonsense
            else:
                failure = self.read.error(outcome)
            pause = self.policy.pause(failure, attempt, repeat)
            if pause is None:
                raise failure
            yield from Pause(pause)


def _is_text(value: str) -> bool:
    """Whether it can be sent: a file name that was not UTF-8 holds lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
