"""What `make demo`, the tests and the benchmarks share.

A real Airflow and an emulator on this machine. Not shipped.
"""
