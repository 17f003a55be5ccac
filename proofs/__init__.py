"""What is too slow for every test run. Each proof is a package that opens with a page about itself.

| command | proves | takes |
| --- | --- | --- |
| `make chaos` | one paid render each, whatever dies | 25 minutes |
| `make hostile` | no answer of an API harms a triggerer or its other waits | 5 minutes |
| `make cluster-test` | `docker-compose.yaml` keeps what it promises | 15 minutes |
| `make scale` | 60 shots in a night, 300 files in bulk | 30 minutes |
| `make matrix` | each Airflow and Python that the README claims | some minutes each |
| `make look` | the example DAGs in Airflow's web UI, as pictures | 5 minutes |

Times are for two cores that have nothing else to do.
"""
