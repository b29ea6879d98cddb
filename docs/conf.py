"""How Sphinx builds these pages; the reference is written from the code first."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference  # noqa: E402  it lies beside this file

project = "vo-server"
copyright = "2026, the vo-server developers"
release = version = installed_version("vo-server")
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "A live astronomical archive",
    "page_width": "1100px",
    "fixed_sidebar": True,
}
html_show_sourcelink = False

reference.write(HERE / "reference")
