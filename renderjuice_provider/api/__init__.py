"""Renderjuice over HTTP. Knows nothing of Airflow: `RenderjuiceClient(api_key)` works in any program."""
