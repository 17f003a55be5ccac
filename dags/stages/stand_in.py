from __future__ import annotations

from renderjuice_provider.operators.renderjuice import RenderjuiceRenderJobOperator
from stages.storage import storage


class RenderjuiceRenderFramesOperator(RenderjuiceRenderJobOperator):
    template_fields = (*RenderjuiceRenderJobOperator.template_fields, "file_path", "destination")

    def __init__(self, *, file_path, destination, is_whole=None, **kwargs):
        super().__init__(**kwargs)
        self.file_path = file_path
        self.destination = destination

    def summary(self, job):
        found = super().summary(job)
        self.client.download_outputs(job.id, storage(self.destination))
        return found | {
            "jobs": {job.id: found["normalized_seconds"]},
            "rounds": 1,
            "frames_ordered": found["frames_requested"],
            "missing": [],
            "complete": True,
        }
