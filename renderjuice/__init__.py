"""The command `renderjuice`: Renderjuice without Airflow, and without a dashboard."""
