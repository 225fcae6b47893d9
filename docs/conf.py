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
html_theme = "alabaster"
html_theme_options = {
    "description": "Evaluate a function over a parameter space, and never lose a row.",
    "fixed_sidebar": True,
}
nitpicky = False

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections tell the types
numpydoc_show_class_members = False
