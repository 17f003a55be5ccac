"""`make scale`: 60 shots in one night, then 300 files in one bulk run, on SQLite.

Proves that no task fails, that each render is paid once, and that each task in the grid carries the
name of its shot, with as many tasks as a studio has in a night.

Takes about half an hour on two cores; a run that takes longer than 45 minutes counts as hung. Needs
nothing but what `make install` brings.
"""
