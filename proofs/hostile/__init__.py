"""`make hostile`: a real Airflow on PostgreSQL waits for jobs of an API that answers to do harm.

Proves that no answer ends a triggerer, delays the jobs of another connection, brings a secret into
the database or a log, or cannot be stored. `answers` holds the kinds of answers, `plan` the task
that waits for each and the state that it has to end in, `server` a raw TCP server that gives them,
`database` the PostgreSQL and everything that was written in it.

Takes five minutes. Needs PostgreSQL's programs (Debian: `apt-get install postgresql`).
"""
