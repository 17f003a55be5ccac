from tests.support.client_fixtures import emulator, scene
from tests.support.in_blender import begin, extension, farm, python, use

__all__ = ["begin", "emulator", "extension", "farm", "python", "scene", "use"]
