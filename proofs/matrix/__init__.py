"""`make matrix`: what the README claims, on each Airflow and Python that it names.

Proves that the package installs into each cell, that every example DAG imports there without a
warning and runs (`try_dags`), and that kills and clears keep their bill (`make chaos`, the
scenarios of tasks that were marked). A cell is one Airflow on one Python, in an environment of its
own in `.venv-matrix`, made of what there was when that Airflow was released: `constraints/`.

Takes some minutes for each cell; a minute with `MATRIX=--quick`, which leaves the kills out.
`CELLS="3.1-py3.12 3.4"` selects. A Python that this machine does not have is skipped, and that is
said.
"""
