"""What pyproject.toml says of the package is all of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_folder_of_the_package_is_in_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in (ROOT / "bsc").glob("**/__init__.py")}
    links = {path for path in (ROOT / "bsc").iterdir() if (path / "__init__.py").is_file()}
    found = {".".join(path.relative_to(ROOT).parts) for path in folders | links}
    assert set(listed["packages"]) == found


def test_every_file_beside_the_code_is_in_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    data = {
        path
        for name, patterns in listed["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*name.split(".")).glob(pattern)
    }
    files = {path for path in (ROOT / "bsc").rglob("*") if path.is_file()}
    others = {p for p in files if p.suffix != ".py" and "__pycache__" not in p.parts}
    assert others == data
