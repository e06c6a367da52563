"""The glance: equal exactly where a scan would give the same lines, silent where it cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap.glance import glance
from tests.conftest import Venv


def _info(lab: Venv, name: str = "numpy") -> Path:
    return next(lab.site.glob(f"{name}-*.dist-info"))


def test_an_unchanged_environment_looks_the_same(lab: Venv) -> None:
    """And files that are no metadata do not count."""
    before = glance([str(lab.site), "/nowhere"])
    (lab.site / "numpy.py").write_text("", encoding="utf-8")
    (_info(lab) / "RECORD").write_text("", encoding="utf-8")

    assert before
    assert glance([str(lab.site), "/nowhere"]) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda lab: lab.install(rich="13.0"),
        lambda lab: lab.remove("six"),
        lambda lab: lab.install(numpy="2.0"),
        lambda lab: (_info(lab) / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: NumPy\nVersion: 1.26.4\n"
        ),
        lambda lab: (lab.site / "x.egg-info").mkdir(),
        lambda lab: (lab.site / "x.egg-link").write_text("/x"),
        lambda lab: (_info(lab) / "direct_url.json").write_text("{}"),
        lambda lab: (_info(lab) / "METADATA").unlink(),
        lambda lab: (_info(lab) / "METADATA").write_text("Metadata-Version: 2.1\nVersion: 1.26.4\n"),
    ],
)
def test_whatever_a_line_is_made_of_is_seen(change: Callable[[Venv], object], lab: Venv) -> None:
    """Another digest, or none: then the environment is scanned."""
    before = glance([str(lab.site)])
    change(lab)

    assert glance([str(lab.site)]) != before


def test_what_is_not_plain_is_left_to_the_scan(lab: Venv, tmp_path: Path) -> None:
    """Zip files, eggs, distributions with a direct URL."""
    (tmp_path / "x.zip").write_bytes(b"")
    (tmp_path / "x.egg").mkdir()

    assert glance([str(lab.site), str(tmp_path / "x.zip")]) == ""
    assert glance([str(tmp_path / "x.egg")]) == ""
    (_info(lab) / "direct_url.json").write_text("{}", encoding="utf-8")
    assert glance([str(lab.site)]) == ""
