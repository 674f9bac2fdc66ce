"""What belongs to the package is in it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_no_file_of_the_project_is_ignored_by_git():
    """Nor, then, by the linter or the builder of the wheel, which read .gitignore too."""
    files = [
        str(path.relative_to(ROOT))
        for folder in ("nnjax", "experiments", "configs", "tests", "benchmarks", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md")
    ]
    assert len(files) > 100
    try:
        checked = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin"],
            input="\n".join(files),
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if checked.returncode == 128:
        pytest.skip("this is no checkout of git")
    assert checked.stdout == ""
