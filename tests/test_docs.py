"""The documentation runs as it stands, and covers every public name."""

import ast
import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import skkeras_tune

ROOT = Path(__file__).parents[1]
SLOW_PAGES = {
    "ensembles.rst",
    "tune.rst",
    "tutorial.rst",
}  # their examples take more than ten seconds
#: What a page needs beside the package.
NEEDS = {"other_searches.rst": ("optuna_integration", "sklearn_genetic")}


def list_pages() -> list[object]:
    """Return the pages that hold examples, slow ones marked."""
    return [
        pytest.param(
            page, id=page.stem, marks=[pytest.mark.slow] * (page.name in SLOW_PAGES)
        )
        for page in sorted((ROOT / "docs").glob("*.rst"))
        if ">>> " in page.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("page", list_pages())
def test_examples_of_pages(page: Path) -> None:
    """Every example of a page gives what the page says."""
    for module in NEEDS.get(page.name, ()):
        pytest.importorskip(module)
    results = doctest.testfile(
        str(page),
        module_relative=False,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        encoding="utf-8",
    )
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.slow
def test_code_of_readme(capsys: pytest.CaptureFixture[str]) -> None:
    """The README's code runs, and ends in settings and a good score."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    settings, _, score = capsys.readouterr().out.rpartition(" ")
    assert "kerasclassifier__units" in settings
    assert float(score) > 0.9


def test_public_names_are_sorted() -> None:
    """`__all__` is sorted and names each public name once."""
    assert skkeras_tune.__all__ == sorted(set(skkeras_tune.__all__))


def test_reference_lists_public_names() -> None:
    """The reference lists the public names, all of them and no others."""
    text = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert sorted(listed) == skkeras_tune.__all__


@pytest.mark.parametrize("name", skkeras_tune.__all__)
def test_public_names_have_examples(name: str) -> None:
    """Every public name has a docstring with an example."""
    docstring = getattr(skkeras_tune, name).__doc__
    assert doctest.DocTestParser().get_examples(docstring)


def read_entries(public: object) -> dict[str, tuple[str, str]]:
    """Return the head and the text of each parameter and attribute, by its name."""
    docstring, _, _ = (inspect.getdoc(public) or "").partition("\nReturns\n")
    entries = re.findall(r"^(\S.*)\n((?:    .*\n)+)", f"{docstring}\n", re.MULTILINE)
    return {head.partition(" : ")[0]: (head, text) for head, text in entries}


def read_defaults(public: Any) -> dict[str, object]:
    """Return the default of each parameter of a signature, in its order."""
    parameters = inspect.signature(public).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}


#: What the two estimators do not have both, or not of the same kind.
DIFFERENT = {
    "class_weight",
    "classes_",
    "loss",
    "n_classes_",
    "n_members",
    "n_outputs_",
    "validation_split",
}


def test_estimators_are_described_in_the_same_words() -> None:
    """What holds for both estimators stands in both docstrings, word for word."""
    classifier = read_entries(skkeras_tune.KerasClassifier)
    regressor = read_entries(skkeras_tune.KerasRegressor)
    assert {"epochs", "weights_", "**kwargs"} <= classifier.keys()
    names = classifier.keys() | regressor.keys()
    different = {n for n in names if classifier.get(n) != regressor.get(n)}
    assert different == DIFFERENT


def test_estimators_have_the_same_defaults() -> None:
    """A parameter of both estimators has the same default, and stands in its place."""
    classifier = read_defaults(skkeras_tune.KerasClassifier)
    regressor = read_defaults(skkeras_tune.KerasRegressor)
    shared = [item for item in classifier.items() if item[0] != "class_weight"]
    assert shared == list(regressor.items())


@pytest.mark.parametrize(
    "name",
    [
        "EnsembleClassifier",
        "EnsembleRegressor",
        "KerasClassifier",
        "KerasRegressor",
        "TablePreprocessor",
        "tune",
    ],
)
def test_docstrings_tell_the_defaults(name: str) -> None:
    """A default in a docstring is that of the signature, and each has its place."""
    public = getattr(skkeras_tune, name)
    told = [
        (name, ast.literal_eval(default))
        for head, _ in read_entries(public).values()
        if (default := head.partition(", default=")[2])
        for name in head.partition(" : ")[0].split(", ")
    ]
    defaults = read_defaults(public)
    assert told == [item for item in defaults.items() if item[0] in dict(told)]
    assert dict(told).keys() == {
        name for name, value in defaults.items() if value is not inspect.Parameter.empty
    }
