"""`make cluster-test`: `docker-compose.yaml` without Docker, while parts of it are killed.

Proves that the compose file works as it is written, and that a night of 40 shots over two workers
and two triggerers is delivered once and paid once, although the busiest of each gets a SIGKILL in
the middle. `compose` reads the file as Compose does, `containers` maps what a container would have
for itself to this machine, `services` starts, restarts and stops, `figures` counts.

Takes 15 minutes on two cores. Needs PostgreSQL's and Redis's programs and curl: on Debian and its
relatives, as root, they are installed; elsewhere it says what to install.
"""
