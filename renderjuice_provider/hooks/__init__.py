"""The hook: from an Airflow connection to a client."""
