"""Sphinx's configuration: `make docs` needs no network and allows no warning."""

from collections.abc import Iterator
from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import skkeras_tune

project = "skkeras_tune"
author = "the skkeras_tune developers"
copyright = "2026, the skkeras_tune developers"
release = installed_version("skkeras-tune")
version = release

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "code"
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = f"skkeras_tune {release}"
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
html_show_sourcelink = False

autodoc_typehints = "none"  # the docstrings name the types, in words
numpydoc_show_class_members = False  # the class template lists them


def list_inherited_members() -> Iterator[str]:
    """Give a pattern for each public member that other projects define."""
    for name in skkeras_tune.__all__:
        public = getattr(skkeras_tune, name)
        if not isinstance(public, type):
            continue
        for member in dir(public):
            owner = next(base for base in public.__mro__ if member in vars(base))
            if not owner.__module__.startswith("skkeras_tune"):
                yield rf"^skkeras_tune\.{name}\.{member}$"


# Checked are the docstrings that readers see here and that are written here.
numpydoc_validation_checks = {
    "all",
    "ES01",  # a one-line summary can be all there is to say
    "EX01",  # an example on the class serves its methods
    "GL01",  # the summary starts on the line of the quotes, as in PEP 257
    "RT02",  # a named return value reads better than a bare type
    "SA01",  # See Also only where there is something to see
}
numpydoc_validation_exclude = set(list_inherited_members())

# Names of other projects, which are not linked since the build is offline.
others = "joblib|keras|numpy|pandas|scikeras|scipy|sklearn|skopt|tensorflow"
nitpick_ignore_regex = [("py:.*", rf"({others})\..*")]

# Where docstrings inherited from scikit-learn point to in its own documentation.
scikit_learn = "https://scikit-learn.org/stable"
scikit_learn_sections = {
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score",
}


def resolve_scikit_learn(
    app: Sphinx, env: Any, node: nodes.Element, text: nodes.Element
) -> nodes.Node | None:
    """Link a term or section that is scikit-learn's and not ours."""
    target = node.get("reftarget", "")
    if node.get("reftype") == "term":
        page = f"glossary.html#term-{target}"
    elif target in scikit_learn_sections:
        page = scikit_learn_sections[target]
    else:
        return None
    return nodes.reference("", "", text, refuri=f"{scikit_learn}/{page}")


def setup(app: Sphinx) -> None:
    """Connect what Sphinx's options cannot say."""
    app.connect("missing-reference", resolve_scikit_learn)
