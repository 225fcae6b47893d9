"""The pictures of README and docs show what commands print now."""

import html
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "docs" / "_static"
COUNTS = re.compile(r"[\d,]+ of 5,000 rows done.*")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, str(ROOT / "docs" / "pictures.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def text_of(picture: Path) -> str:
    lines = re.findall(r'<text class="psy-r\d.*?>(.*?)</text>', picture.read_text())
    text = html.unescape(" ".join(lines)).replace("\xa0", " ")
    return COUNTS.sub("... rows done", " ".join(text.split()))


def test_the_picture_of_the_status_is_right(made: Path) -> None:
    shown = text_of(STATIC / "status.svg")
    assert "outbreak: up to date" in shown
    assert shown == text_of(made / "status.svg"), "make it anew: python docs/pictures.py"


def test_the_plot_can_be_made(made: Path) -> None:
    assert ET.parse(made / "outbreak.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("picture", sorted(STATIC.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_fetches_nothing(picture: Path) -> None:
    links = re.findall(r"(?:href|src|url)[=(]+\W*(https?:[^\"')]+)", picture.read_text())
    assert links == []
