"""Settings of Sphinx: ``sphinx-build -W -c docs . build/site`` makes the site, from the root of the repository.

The root is the source folder, so that pages may link to the README, the results and the sources as they do on disk.
"""

from dcz import __version__

project = "dcz"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/*.md",
    "models/README.md",
    "examples/README.md",
]
html_theme = "furo"
html_title = "dcz"
myst_heading_anchors = 3
# format.md names the language of a block for the tests; names in backticks are mostly those of parameters.
suppress_warnings = ["misc.highlighting_failure", "ref.python"]
napoleon_google_docstring = False
autodoc_typehints = "none"  # the docstrings say types, and shapes with them
autodoc_member_order = "bysource"
