"""Words that recur in short texts become columns."""

import numpy as np
import pytest

from skkeras_tune.preprocessing.words import WordEncoder, find_words

pandas = pytest.importorskip("pandas")

TITLES = ["Mr.", "Mrs.", "Miss"]


@pytest.fixture
def names():
    """Return 90 names that all differ, of three titles."""
    return pandas.Series([f"Q{i}x, {TITLES[i % 3]} P{i}y" for i in range(90)])


def test_words_that_recur_are_found(names):
    """What stands in some rows and not in others tells them apart."""
    assert sorted(find_words(names)) == ["miss", "mr", "mrs"]


def test_each_word_has_a_column(names):
    """A column holds 1 where its word stands, in whatever case."""
    encoder = WordEncoder().fit(names.to_frame("name"))
    new = pandas.DataFrame({"name": ["Smith, MRS. Anna", "Jones, Dr. Paul", None]})
    found = dict(
        zip(encoder.get_feature_names_out(), encoder.transform(new).T, strict=True)
    )
    assert found["name_mrs"].tolist() == [1, 0, 0]
    assert found["name_mr"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        lambda i: f"Passenger {i}",  # in all rows
        lambda i: f"C{i}",  # a letter
        lambda i: f"{i:08x}-{i * 7919:08x}",  # a key
        lambda i: "Smith" if i < 5 else f"Q{i}",  # in few rows
        lambda i: "Smith" if i > 5 else f"Q{i}",  # in all but few
    ],
)
def test_words_that_say_nothing_have_no_column(text):
    """A word counts that is neither rare nor nearly everywhere."""
    texts = pandas.Series([text(i) for i in range(90)])
    assert find_words(texts) == []
    table = texts.to_frame("text")
    assert WordEncoder().fit(table).transform(table).shape == (90, 0)


def test_at_most_thirty_words(names):
    """Of many words, those count whose presence varies most."""
    generator = np.random.default_rng(0)
    letters = [chr(ord("a") + i) * 3 for i in range(26)]
    words = [*letters, *(word + "z" for word in letters)]
    shares = np.linspace(0.1, 0.5, len(words))
    rows = generator.random((500, len(words))) < shares
    texts = pandas.Series(
        [" ".join(w for w, on in zip(words, r, strict=True) if on) for r in rows]
    )
    found = find_words(texts)
    assert len(found) == 30
    assert not set(found) & set(words[:15])
