"""`make chaos`: processes die, users change their minds, accidents happen, the network fails, on a real Airflow; then the bill is read."""
