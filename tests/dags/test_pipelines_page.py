from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pipelines.md").read_text()


def test_the_page_names_every_param_and_every_variable():
    code = "".join((ROOT / "dags" / name).read_text() for name in ("renderjuice_nightly.py", "stages/defaults.py"))

    params = re.findall(r'"(\w+)": Param\(', code)
    assert len(params) == 7
    assert [name for name in (*params, *re.findall(r"RENDERJUICE_\w+", code)) if f"`{name}`" not in PAGE] == []
