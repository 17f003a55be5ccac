from tests.support.client_fixtures import client, emulator, new_client, scene
from tests.support.rounds import shot

__all__ = ["client", "emulator", "new_client", "scene", "shot"]
