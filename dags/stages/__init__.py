"""Stages that the example DAGs share. Copy one into your own DAG folder and change it."""
