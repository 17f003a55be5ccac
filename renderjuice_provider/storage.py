"""Where files go.

Folders on this machine or in any object store, and files that are never half there.

    from renderjuice_provider.storage import folder, whole_file

    with whole_file(folder("/srv/deliveries"), "notes.txt") as path:
        path.write_text("done")
"""

from renderjuice_provider.api._folders import Folder, LocalFolder, RemoteFolder, folder, whole_file

__all__ = ["Folder", "LocalFolder", "RemoteFolder", "folder", "whole_file"]
