"""Sphinx's settings. `make site` gathers the sources (gather.py) and builds the pages from them.

Nothing that a page loads comes from another host: no font, no script, no picture, no tracker.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # Sphinx runs this file from elsewhere

from deeper import fold_deeper_sections  # noqa: E402
from docstrings import as_rest  # noqa: E402
from icons import keep_used_icons  # noqa: E402
from repository import BRANCH, ROOT, repository_url  # noqa: E402

project = "Learned Image Compression, from Padding to Bitstream"
author = "the course's authors"
project_copyright = "2026, the course's authors; text and figures CC BY 4.0, code MIT"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns: list[str] = []

# ---- notebooks and Markdown
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables, too: each notebook shows its terms in one
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4

# ---- the reference
add_module_names = False
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"

# ---- mathematics: MathJax, which is shipped with the pages
mathjax_path = "mathjax/tex-chtml.js"

# ---- the theme
html_theme = "sphinx_book_theme"
html_title = "Learned Image Compression"
html_static_path = [str(HERE / "static")]
html_css_files = ["course.css", "frames.css"]
html_js_files = [("frames.js", {"defer": "defer"})]
html_favicon = str(HERE / "static/favicon.svg")
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_copy_source = True
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_theme_options: dict[str, object] = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_persistent": [],
    "navigation_depth": 1,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if url := repository_url():
    html_theme_options |= {
        "repository_url": url,
        "repository_branch": BRANCH,
        "path_to_docs": "",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }


# The theme's sidebar opens parts with an icon alone, which nobody can hear.
BARE_TOGGLE = '<summary><span class="toctree-toggle"'
NAMED_TOGGLE = '<summary aria-label="Show the pages of this part"><span class="toctree-toggle"'


def docstring_to_rest(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = as_rest(lines)


def finish(app: Sphinx, error: Exception | None) -> None:
    """What stands beside the pages: MathJax, the pictures, the decoder, and the notebooks as they are, to download."""
    if error is not None:
        return
    out = Path(app.outdir)
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    assert spec is not None and spec.origin is not None
    mathjax = Path(spec.origin).parent / "static/mathjax"
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(mathjax / fonts, out / "_static/mathjax" / fonts, dirs_exist_ok=True)
    shutil.copy(mathjax / "tex-chtml.js", out / "_static/mathjax/tex-chtml.js")
    shutil.copytree(Path(app.srcdir).parent / "pictures", out / "pictures", dirs_exist_ok=True)
    shutil.rmtree(out / "web", ignore_errors=True)
    if (ROOT / "build/web/page/index.html").exists():  # the page that opens .lic files; `make web` makes it
        shutil.copytree(ROOT / "build/web", out / "web")
    for notebook in (out / "_sources/notebooks").glob("*.ipynb"):
        shutil.copy(ROOT / "notebooks" / notebook.name, notebook)
    for path in out.rglob("*.map"):  # for those who debug the theme
        path.unlink()
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(BARE_TOGGLE, NAMED_TOGGLE), encoding="utf-8")
    keep_used_icons(out)


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", docstring_to_rest)
    app.connect("doctree-read", fold_deeper_sections)
    app.connect("build-finished", finish)
