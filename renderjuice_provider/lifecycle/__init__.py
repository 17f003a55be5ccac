"""Decisions about a job that takes hours.

What to do next, whether to go on waiting, what the end was. No Airflow, no HTTP.
"""
