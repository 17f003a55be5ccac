"""A Renderjuice that runs on this machine: the API, the store, webhooks, real Blender."""
