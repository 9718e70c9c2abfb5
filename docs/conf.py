"""The site: `make docs` builds it into build/site. What is written before each build is in docs/_ext."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import minigrad

project = "minigrad"
copyright = "minigrad developers, MIT licence"
release = version = minigrad.__version__
language = "en"

# reference, brought, sources, mathml, checked: docs/_ext
extensions = ["myst_nb", "reference", "brought", "sources", "mathml", "checked"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_*", "**/.ipynb_checkpoints"]
default_role = "code"
highlight_language = "python"
pygments_style, pygments_dark_style = "friendly", "monokai"
keep_warnings = False
python_use_unqualified_type_names = True
toc_object_entries = False  # hundreds of names on a page: the search finds them

nb_execution_mode = "off"  # notebooks are shown with the outputs they are stored with
nb_ipywidgets_js = {}  # a page loads nothing from elsewhere
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "misc.highlighting_failure", "config.cache"]

html_theme = "furo"
html_title = f"minigrad {release}"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"  # without one, a browser asks the server for a file that is not there
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # no request, not even to its own pages
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#1a5fb4", "color-brand-content": "#1a5fb4"},
    "dark_css_variables": {"color-brand-primary": "#8ab4f8", "color-brand-content": "#8ab4f8"},
}
