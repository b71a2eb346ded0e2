"""The names of all settings, as the code reads them from the environment."""

import re
from pathlib import Path

NAMES = {
    name
    for path in (Path(__file__).parents[1] / "config").rglob("*.py")
    for name in re.findall(r'\b(?:env\.[a-z_]+|text|words|flag|base_url)\("([A-Z_]+)"', path.read_text())
}
