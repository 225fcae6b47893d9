"""Sphinx's configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from psyrun.version import __version__

project = "Psyrun"
author = "the Psyrun contributors"
copyright = author
release = version = __version__

extensions = ["sphinx.ext.autodoc", "numpydoc", "psyrun_reference"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Psyrun {version}"
html_static_path = ["_static"]
html_theme_options = {"navigation_with_keys": True}
nitpicky = False

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections tell the types
numpydoc_show_class_members = False
