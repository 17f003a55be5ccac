"""A real Airflow on PostgreSQL, waiting for jobs of an API that wants to harm it."""
