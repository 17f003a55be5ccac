"""The harness's own DAGs."""
