from tests.support.client_fixtures import client, emulator, new_client, scene

__all__ = ["client", "emulator", "new_client", "scene"]
