"""The object store's signed URLs. `renderjuice_emulator.storage_api` serves them."""

from __future__ import annotations

from urllib.parse import quote

from renderjuice_emulator.clock import Clock
from renderjuice_emulator.jobs import Job, Upload
from renderjuice_emulator.signing import Signer
from renderjuice_emulator.switches import Switches


class Storage:
    """Makes signed URLs and checks them. `host` and `port` are set once they are known.

    URLs name the host by which the client reached the API, so that they also hold from another
    machine or container.
    """

    def __init__(self, *, clock: Clock, switches: Switches) -> None:
        self.host = ""
        self.port = 0
        self._clock = clock
        self._switches = switches
        self._signer = Signer()

    def origin(self, host: str | None = None) -> str:
        """The store's origin, as seen from a client that calls this machine `host`."""
        return f"http://{f'[{host}]' if host and ':' in host else host or self.host}:{self.port}"

    def upload_url(self, upload: Upload, host: str | None = None) -> str:
        """A URL for one PUT."""
        expires = self._clock.transfer_timestamp() + self._switches.upload_url_seconds
        token = self._signer.sign("put", upload.slug, expires)
        name = quote(upload.file_name, safe="")
        return f"{self.origin(host)}/uploads/{upload.slug}/{name}?token={token}"

    def file_url(self, job: Job, place: int, host: str | None = None) -> str:
        """A URL for the output at this place of the job's list."""
        return self._download_url(job, str(place), job.outputs[place].path.name, host)

    def preview_url(self, job: Job, host: str | None = None) -> str | None:
        """The latest frame that a browser can show; None before there is one.

        Unguessable instead of signed, so it stays; unless a switch says otherwise.
        """
        file = job.preview
        if file is None:
            return None
        token = self._token(job, "preview") if self._switches.signed_previews else ""
        return f"{self.origin(host)}/previews/{job.id}/{job.preview_id}{file.suffix}{token}"

    def zip_url(self, job: Job, kind: str, host: str | None = None) -> str:
        """A URL for all outputs of a kind (`frame`, `composite`) in one archive.

        The archive is made when it is asked for.
        """
        return self._download_url(job, kind, f"{kind}s.zip", host)

    def problem(self, token: str, purpose: str, what: str) -> str | None:
        """Why this token does not open `what` now; nothing when it does."""
        return self._signer.verify(token, purpose, what, self._clock.transfer_timestamp())

    def _download_url(self, job: Job, what: str, name: str, host: str | None) -> str:
        return f"{self.origin(host)}/download/{job.id}/{what}/{quote(name)}{self._token(job, what)}"

    def _token(self, job: Job, what: str) -> str:
        expires = self._clock.transfer_timestamp() + self._switches.output_url_seconds
        return f"?token={self._signer.sign('get', f'{job.id}/{what}', expires)}"
