"""The documentation runs as it stands, and covers every public name."""

import doctest
import re
from pathlib import Path

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
