"""All jobs, page by page, from an API whose paging parameters are only partly documented.

So: stop when the server sends another page than was asked for, or nothing new (it ignores the
parameter); never give a job twice (pages shift while jobs are created); filter by status here too;
and stop at some page. Source: the API reference's page on listing jobs.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import partial
from typing import Any

from renderjuice_provider.api._flow import Call, Flow, Response, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._reading import unwrap
from renderjuice_provider.api.errors import RenderjuiceRefusedError, RenderjuiceResponseError
from renderjuice_provider.api.models import Job, parse

PAGE_SIZE = 100
MAX_PAGES = 1000
MANY = 1000
"""Jobs of one page from which on they are filtered in a thread: no server should send that many."""


def list_jobs(operations: Operations, status: str | None = None) -> JobListing:
    """Iterate over all jobs, or those of one status, through all pages: `GET /jobs`."""
    return JobListing(operations, status)


class JobListing:
    """One walk over the list.

    Attributes:
        more: whether there is another page to ask for.
        total: jobs on all pages, as the last page says it; None where it does not.
    """

    def __init__(self, operations: Operations, status: str | None = None) -> None:
        self._operations = operations
        self._status = status
        self._page = 0
        self._page_size: int | None = PAGE_SIZE
        self._seen: set[str] = set()
        self.more = True
        self.total: int | None = None

    def next_page(self, wanted: Container[str] | None = None) -> Flow[Iterator[Job]]:
        """The jobs of the next page that are new here and have the status that was asked for.

        Each is parsed when its turn comes, because a page may hold very many.

        Args:
            wanted: the only ids of interest, in lower case; by default all.
        """
        self._page += 1
        body = yield from self._read_page()
        jobs, pagination = body["jobs"], body.get("pagination")
        sort_out = partial(self._fresh, jobs, wanted)
        fresh, found = (yield from RunInThread(sort_out)) if len(jobs) > MANY else sort_out()
        page = _number(pagination, "page", self._page if fresh else 0)
        total = _number(pagination, "total", -1)
        self.total = total if total >= 0 else None
        self.more = bool(jobs) and page == self._page < min(MAX_PAGES, _total_pages(pagination))
        return self._jobs(found)

    def _fresh(self, jobs: list[Any], wanted: Container[str] | None) -> tuple[bool, list[Any]]:
        """Whether any is new, and the new ones that are wanted, for `parse` to check."""
        fresh, found = False, []
        for job in jobs:
            job_id = job.get("id") if isinstance(job, dict) else None
            if isinstance(job_id, str):
                if job_id in self._seen:
                    continue
                self._seen.add(job_id)
            fresh = True
            if wanted is None or not isinstance(job_id, str) or job_id.lower() in wanted:
                found.append(job)
        return fresh, found

    def _jobs(self, found: list[Any]) -> Iterator[Job]:
        for item in found:
            job = parse(Job, item, "job")
            if self._status in {None, job.status}:
                yield job

    def _read_page(self) -> Flow[dict[str, Any]]:
        try:
            return (yield from self._operations.ask(self._call(), self._read))
        except RenderjuiceRefusedError:
            if self._page_size is None or self._page > 1:  # a later page would begin at another job
                raise
            self._page_size = None  # its name and its limit are guesses; the default always works
            return (yield from self._operations.ask(self._call(), self._read))

    def _call(self) -> Call:
        size = {"pageSize": str(self._page_size)} if self._page_size else {}
        status = {"status": self._status} if self._status else {}
        return Call("GET", "/jobs", params={"page": str(self._page)} | size | status)

    def _read(self, response: Response) -> dict[str, Any]:
        body = unwrap(self._operations.read.json(response), "jobs")
        if not isinstance(body, dict) or not isinstance(body.get("jobs"), list):
            raise RenderjuiceResponseError("Renderjuice's response is not a list of jobs")
        return body


def _total_pages(pagination: Any) -> int:
    """Without a usable count, go on until a page is empty."""
    return _number(pagination, "totalPages", MAX_PAGES)


def _number(pagination: Any, key: str, default: int) -> int:
    value = pagination.get(key) if isinstance(pagination, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default
