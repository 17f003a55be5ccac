from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pipelines.md").read_text()


def test_the_page_names_every_dag_every_param_and_every_variable():
    dags = [*(ROOT / "dags").glob("*.py")]
    named = [f"`{dag.stem}`" for dag in dags if dag.stem != "renderjuice_quickstart"]
    code = "".join((ROOT / "dags" / f"renderjuice_{name}.py").read_text() for name in ("nightly", "shot"))
    code += (ROOT / "dags/stages/params.py").read_text()
    params = re.findall(r'"(\w+)": Param\(', code)
    variables = re.findall(r'"(RENDERJUICE_\w+)"', "".join(path.read_text() for path in ROOT.glob("dags/stages/*.py")))

    assert (len(dags), len(params), len(set(variables))) == (6, 15, 9)
    assert [name for name in (*named, *(f"`{name}`" for name in (*params, *variables))) if name not in PAGE] == []
