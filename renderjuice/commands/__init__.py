"""The commands: each reads its arguments, and leaves the work to the modules beside this folder."""
