"""`make chaos`: processes die, users change their minds, accidents happen, on a real Airflow; then the bill is read."""
