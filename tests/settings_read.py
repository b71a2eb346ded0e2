"""The names of all settings, as the code reads them from the environment."""

import re
from pathlib import Path

NAMES = {
    name
    for path in (Path(__file__).parents[1] / "config").rglob("*.py")
    for name in re.findall(r'\benv\.[a-z_]+\("([A-Z_]+)"', path.read_text())
}
