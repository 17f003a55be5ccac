"""What Renderjuice's documentation leaves open, one switch each.

The defaults are what is documented or most likely.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from renderjuice_emulator.mishaps import EXAMPLE, Mishaps

ErrorShape = Literal["nest", "message", "error", "errors", "list", "html", "empty"]
JobShape = Literal["bare", "wrapped", "empty", "no-content"]


class Switches(BaseModel):
    """Set an attribute to flip a switch; it is checked. Times are emulated seconds."""

    model_config = ConfigDict(validate_assignment=True, extra="forbid")

    # Answers
    error_shape: ErrorShape = Field(
        "nest",
        description="Body of an error: nest {statusCode, error, message}, message {message}, error {error: {code, "
        "message}}, errors {errors: [...]}, list [...], html, or empty.",
    )
    wrong_state_status: Literal[400, 409, 422] = Field(
        400, description="Code for a call that the job's status forbids. Documented as 400 for validate only."
    )
    get_job_shape: Literal["bare", "wrapped"] = Field("wrapped", description="GET job. Documented: wrapped in `data`.")
    create_job_shape: Literal["bare", "wrapped"] = Field("bare", description="POST /jobs. Documented: bare.")
    start_render_shape: JobShape = Field("bare", description="POST render. Documented: bare.")
    validate_shape: JobShape = Field("bare", description="POST validate. Undocumented; no-content is an empty 204.")
    cancel_shape: JobShape = Field("bare", description="POST cancel. Undocumented; no-content is an empty 204.")
    not_found_reads: int = Field(
        0, ge=0, description="Read-after-write lag: this number of GETs of a new job is answered 404."
    )
    created_at_fraction: bool = Field(default=True, description="Dates carry milliseconds.")
    unknown_render_keys: Literal["ignored", "refused"] = Field(
        "ignored", description="What happens to keys of a render configuration that are not documented."
    )

    # Jobs
    slug_reuse: Literal["new-job", "same-job", "refused"] = Field(
        "new-job", description="What a second POST /jobs with the same slug does."
    )
    unknown_slug_status: Literal[400, 404, 422] = Field(404, description="Code for a slug that was never handed out.")
    extra_status: str | None = Field(
        None, description="A status shown between booting and rendering: debugging, suspended, or an unknown word."
    )
    extra_status_seconds: float = Field(10.0, ge=0, description="How long the extra status is shown.")
    skip_finalizing: bool = Field(default=False, description="Go from rendering straight to completed.")
    boot_seconds: float = Field(10.0, ge=0, description="How long a job is booting.")
    finalize_seconds: float = Field(5.0, ge=0, description="How long a job is finalizing.")
    cancel_seconds: float = Field(
        0.0, ge=0, description="How long a canceled render goes on (and may complete) after the cancel was accepted."
    )
    mishaps: str = Field(
        "", description=f"How much goes wrong with renders, by chance and the same each time, such as {EXAMPLE}."
    )
    worker_lost_at: dict[str, int] = Field(
        default_factory=dict,
        description="By file name, the frame at which the first render of that scene fails, such as {'ice.blend': 7}.",
    )
    hangs_at: dict[str, int] = Field(
        default_factory=dict,
        description="By file name, the frame at which the first render of that scene hangs until it is canceled, such "
        "as {'ice.blend': 7}.",
    )
    seconds_while_rendering: bool = Field(
        default=True, description="normalizedSeconds grow while a job renders; else they are null until it is over."
    )
    canceled_keeps_frames: bool = Field(
        default=True, description="Downloads of canceled and failed jobs list finished frames."
    )

    # Progress, lists
    progress_shape: Literal["array", "object", "wrapped"] = Field(
        "array", description="array [...], object (of one job; by job id for all), or wrapped {data: [...]}."
    )
    page_parameter_ignored: bool = Field(default=False, description="GET /jobs always answers the first page.")
    status_filter_ignored: bool = Field(default=False, description="GET /jobs always answers jobs of every status.")
    max_page_size: int = Field(100, ge=1, description="The largest page of GET /jobs; more is cut to it.")

    # Storage
    upload_url_seconds: float = Field(900.0, description="Lifetime of an upload URL. Not shortened by a fast clock.")
    output_url_seconds: float = Field(900.0, description="Lifetime of a download URL. Not shortened by a fast clock.")
    signed_previews: bool = Field(
        default=False, description="A job's previewUrl is signed, and lives as long as a download URL."
    )
    max_upload_bytes: int = Field(
        5 * 2**30, ge=1, description="An upload must be smaller than this. Documented: 5 GiB."
    )
    quota_bytes: int = Field(
        20 * 2**30, ge=1, description="All uploads together: four of the largest, so that no client fills this disk."
    )
    file_outputs: bool = Field(
        default=True, description="Downloads carry frameOutputs and compositeNodeOutputs, not only the legacy lists."
    )
    legacy_outputs: bool = Field(
        default=True, description="Downloads fill the legacy lists `frames` and `compositeNodes`."
    )
    zips: bool = Field(default=True, description="Downloads offer all frames, and all composites, in one zip each.")
    ranges: bool = Field(
        default=True, description="The store sends the part of a file that a `Range` asks for; or else the whole."
    )
    relative_path: Literal["path", "folder"] = Field(
        "path", description="What relativePath of a composite is: its whole path, or the folder that fileName is in."
    )
    downloads_delay_seconds: float = Field(0.0, ge=0, description="How long after completion the downloads stay empty.")
    outputs_deleted: bool = Field(
        default=False, description="Completed jobs say output.isDeletedForClient, and their downloads are empty."
    )
    hostile_names: dict[str, str] = Field(
        default_factory=dict,
        description="Replaces a fileName or relativePath in the downloads by another, such as {'0001.png': '../../x'}.",
    )

    # Webhooks
    webhook_encoding: Literal["hex", "HEX", "sha256=hex", "base64"] = Field(
        "hex", description="How the signature is written."
    )
    webhook_duplicates: int = Field(0, ge=0, description="How often a delivered event is delivered again.")
    webhook_outputs: Literal["frames", "empty", "absent", "null"] = Field(
        "frames", description="What `outputs` of an event with frames holds."
    )
    webhook_attempts: int = Field(4, ge=1, description="Deliveries tried before the event is given up.")
    webhook_backoff_seconds: float = Field(
        5.0, ge=0, description="Wait before the second attempt; doubled for each further one."
    )

    @field_validator("mishaps")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        Mishaps.parse(text)
        return text

    def reset(self) -> None:
        """Back to the defaults."""
        for name, value in Switches():
            setattr(self, name, value)
