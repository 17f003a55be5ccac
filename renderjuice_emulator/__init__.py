"""A Renderjuice that runs on this machine: the documented API, presigned storage, webhooks, real Blender."""
