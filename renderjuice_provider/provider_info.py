"""What Airflow reads about this provider."""
