"""The DAG of the hostile run."""
