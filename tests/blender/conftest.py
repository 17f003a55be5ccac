from tests.support.client_fixtures import emulator, scene

__all__ = ["emulator", "scene"]
