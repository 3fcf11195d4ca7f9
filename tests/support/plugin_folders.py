"""Distributions that are plugins, in a folder on the import path, as an installer would lay them out."""

from __future__ import annotations

import tomllib
from pathlib import Path


def lay_out(
    folder: Path, distribution: str, points: dict[str, str], files: dict[str, str], version: str = "0.1"
) -> None:
    """A distribution with entry points (name to module) and modules (path to text) in ``folder``."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (info / "entry_points.txt").write_text(f"[bec]\n{lines}")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def installed(package: Path) -> Path:
    """Give a package's ``src`` the metadata that installing it would write; returns the package."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    lay_out(package / "src", project["name"], project["entry-points"]["bec"], {}, project["version"])
    return package
