"""The render wall, inside Airflow's API server: what the renders of a night are doing."""
