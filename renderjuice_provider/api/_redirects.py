"""Where a store sends us on to: S3 answers 307 for a young bucket, and a download may lie at a CDN.

There is no key on this way, but a signed URL is a secret too, and a scene should be sent once. The API itself is never followed.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from renderjuice_provider.api._flow import NoResponse, Response

LONGEST = 3
"""Redirects in a row; more is a circle."""
OF_A_PUT = frozenset({307, 308})
"""Those that say to send the same again. After others a file could end up at a page for people, which answers 200 to anything."""
OF_A_GET = frozenset({301, 302, 303, 307, 308})


class Way:
    """The way to one file: a signed URL, then whatever its store names.

    Attributes:
        url: the place to ask at next.
    """

    def __init__(self, url: str, followed: frozenset[int]) -> None:
        self.url = url
        self._followed = followed
        self._left = LONGEST

    def leads_on(self, outcome: Response | NoResponse) -> bool:
        """Whether `outcome` sent us to another place, which is now in `url`. From https it never leads to anything else."""
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
