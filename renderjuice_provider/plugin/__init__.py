"""Inside Airflow's API server: the receiver of what Renderjuice sends."""
