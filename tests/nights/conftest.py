from tests.support.raw_fixtures import emulator, raw_client

__all__ = ["emulator", "raw_client"]
