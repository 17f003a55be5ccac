"""`make scale`: a night of 60 shots, as it was and as it is, and 300 files in one bulk run.

Proves that no task fails or is taken for dead, that each render is paid once, that the grid names
each shot, and that one run for each shot takes at most 0.6 of the time that one run for all took.
The nightly as it was comes from this repository's history, and renders the same scenes on the same
machine, on an Airflow of its own, right before the new one.

| | |
| --- | --- |
| `make scale` | 60 shots by both, then the bulk run, on SQLite; about 25 minutes on two cores |
| `SCALE="--postgres"` | the same on PostgreSQL, whose programs it needs |
| `SCALE="--only new --shots 200"` | what a large studio has in a night, by the new one |
| `SCALE="--only new --set NAME=VALUE"` | the same, with another setting of Airflow or the DAGs |

`night` runs one night and counts, `watch` reads what the scheduler's log and the API server say
meanwhile, `before` brings the nightly as it was.
"""
