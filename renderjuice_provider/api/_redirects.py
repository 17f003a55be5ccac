"""Redirects of stores: S3 sends 307 for a new bucket, and a download may be at a CDN.

These requests carry no key, but a signed URL is a secret too, and a scene should be sent once. A
redirect of the API itself is never followed.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from renderjuice_provider.api._flow import NoResponse, Response

LONGEST = 3
"""Redirects in a row; more are taken for a loop."""
OF_A_PUT = frozenset({307, 308})
"""Those that mean: send the same again. After others, a file could go to a web page that accepts
anything."""
OF_A_GET = frozenset({301, 302, 303, 307, 308})


class Way:
    """The way to one file: a signed URL, then the redirects of its store.

    Attributes:
        url: where to send the next request.
    """

    def __init__(self, url: str, followed: frozenset[int]) -> None:
        self.url = url
        self._followed = followed
        self._left = LONGEST

    def leads_on(self, outcome: Response | NoResponse) -> bool:
        """Whether `outcome` is a redirect to follow, now in `url`. https leads to https only."""
        if not isinstance(outcome, Response) or outcome.status not in self._followed or not self._left:
            return False
        try:
            url = urljoin(self.url, outcome.headers.get("location", ""))
            downgraded = urlsplit(self.url).scheme == "https" != urlsplit(url).scheme
        except ValueError:
            return False
        if url == self.url or downgraded:
            return False
        self.url = url
        self._left -= 1
        return True
