"""A fingerprint is decided by content, the same in every process."""

import functools
import importlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from sklearn.linear_model import LinearRegression

from skkeras_tune.training import fingerprint as module
from skkeras_tune.training.fingerprint import NoFingerprint, fingerprint
from skkeras_tune.training.own_code import is_installed

WIDTH = 4


@dataclass(frozen=True)
class Shape:
    """A value of fields."""

    width: int
    date: str = field(default="", compare=False)


class Point:
    """A plain object."""

    def __init__(self, x):
        self.x = x

    def double(self):
        return 2 * self.x


def add(x, y=1):
    return x + y


VALUES = [
    None,
    True,
    1,
    1.0,
    -0.0,
    0.0,
    np.nan,
    "a",
    b"a",
    (1, 2),
    [1, 2],
    [1, [2]],
    [[1], 2],
    [],
    (),
    {},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {1, 2},
    frozenset({1}),
    ["ab", "c"],
    ["a", "bc"],
    np.float32(1),
    np.arange(3),
    np.arange(3.0),
    np.arange(3.0, dtype="float32"),
    np.arange(3.0).reshape(3, 1),
    np.array(["a", "b"]),
    np.array(["a", None], object),
    np.zeros((0, 3)),
    csr_array(np.eye(3)),
    csr_array(2 * np.eye(3)),
    Shape(1),
    Shape(2),
    Point(1),
    Point(2),
    Point(1).double,
    Point,
    add,
    len,
    np.add,
    np,
    functools.partial(add, y=2),
    functools.partial(add, y=3),
    keras.regularizers.L2(0.1),
    keras.regularizers.L2(0.2),
    keras.layers.Dense,
    LinearRegression(),
    LinearRegression(fit_intercept=False),
]


def test_other_content_has_another_fingerprint():
    """Values that differ in type, number or order are told apart."""
    found = [fingerprint(value) for value in VALUES]
    assert len(set(found)) == len(VALUES)
    assert all(len(digits) == 32 and int(digits, 16) for digits in found)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.ones((2, 3)), np.asfortranarray(np.ones((2, 3)))),
        (np.arange(6)[::2], np.array([0, 2, 4])),
        (csr_array(np.eye(3)), csc_array(np.eye(3))),
        (Shape(1, "today"), Shape(1, "today")),
        (Point([1]), Point([1])),
        (keras.regularizers.L2(0.1), keras.regularizers.L2(0.1)),
        (functools.partial(add, y=2), functools.partial(add, y=2)),
        (["ab"[:1], "a"], ["a", "a"]),
    ],
)
def test_the_same_content_has_the_same_fingerprint(one, two):
    """The order of keys, the layout of memory and identity do not count."""
    assert fingerprint(one) == fingerprint(two)


def test_a_mapped_file_is_its_content(tmp_path):
    """An array that is mapped from a file counts as its values."""
    np.save(tmp_path / "x.npy", np.arange(5.0))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert fingerprint(mapped) == fingerprint(np.arange(5.0))


# --- functions and classes

SOURCE = """
import keras

WIDTH = 4

class Doubled(keras.layers.Layer):
    factor = 2

    def call(self, inputs):
        return self.factor * inputs

def choose(width):
    return [width + 1, "relu"]

def build(meta, depth=1):
    def add_layers(model):
        for _ in range(depth):
            model.add(keras.layers.Dense(*choose(WIDTH)))
        model.add(Doubled())
    model = keras.Sequential()
    add_layers(model)
    return model

def repeat(times):
    return lambda model: [model] * times

chosen = repeat(3)
"""


def run(source, filename="<source>"):
    """Return the names that some code defines."""
    names = {"__name__": "users_networks"}
    exec(compile(source, filename, "exec"), names)
    return names


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("width + 1", "width + 2"),
        ('"relu"', '"selu"'),
        ("WIDTH = 4", "WIDTH = 5"),
        ("depth=1", "depth=2"),
        ("factor = 2", "factor = 3"),
        ("self.factor * inputs", "self.factor + inputs"),
        ("model.add(Doubled())", "pass"),
        ("Layer)", "Dropout)"),
    ],
)
def test_a_change_in_all_that_a_function_uses_shows(before, after):
    """A function counts with its helpers, layers, constants and defaults."""
    changed = SOURCE.replace(before, after)
    assert changed != SOURCE
    assert fingerprint(run(SOURCE)["build"]) != fingerprint(run(changed)["build"])


def test_a_function_counts_with_what_it_closes_over():
    """Functions of one body differ in the values around it."""
    names = run(SOURCE)
    assert fingerprint(names["chosen"]) != fingerprint(names["repeat"](4))
    assert fingerprint(names["chosen"]) == fingerprint(names["repeat"](3))


def test_a_change_elsewhere_does_not_show():
    """Where a function stands, comments, and what it does not use do not count."""
    moved = "# A comment.\n\nOTHER = 1\n" + SOURCE.replace("[width", "[  width")
    for name in ("build", "Doubled", "chosen"):
        one, two = run(SOURCE)[name], run(moved, "other.py")[name]
        assert fingerprint(one) == fingerprint(two)


def test_functions_that_refer_to_themselves():
    """Recursion, and a class that calls its base, have fingerprints."""

    def count(n):
        return n and count(n - 1)

    class Child(Point):
        def double(self):
            return super().double() + Child.__len__(self)

    assert fingerprint(count) == fingerprint(count)
    assert fingerprint(Child) != fingerprint(Point)


def test_building_a_model_leaves_its_class_as_it_was():
    """Keras changes the bases of a class when it makes a functional model of it."""

    class Own(keras.Model):
        pass

    before = fingerprint(Own)
    inputs = keras.Input((2,))
    Own(inputs, keras.layers.Dense(1)(inputs))
    assert fingerprint(Own) == before


def test_training_leaves_a_model_function_as_it_was():
    """What TensorFlow notes of a function that it traces does not count."""

    class Layer(keras.layers.Layer):
        def call(self, inputs):
            return inputs * WIDTH

    def build():
        return keras.Sequential([Layer(), keras.layers.Dense(1)])

    before = fingerprint(build)
    model = build()
    model.compile(loss="mse")
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    assert fingerprint(build) == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (keras.layers.Dense, True),
        (keras.activations.relu, True),
        (subprocess.run, True),
        (np, True),
        (module.fingerprint, True),
        (add, False),
        (Point, False),
        (lambda: None, False),
        (sys.modules[__name__], False),
    ],
)
def test_what_is_installed(value, expected):
    """Installed packages change with their version; a user's code at any time."""
    assert is_installed(value) is expected


def test_a_module_of_the_users_counts_with_its_functions(monkeypatch):
    """A module that a function refers to counts with all that is in it."""
    here = sys.modules[__name__]
    before = fingerprint(here.VALUES[:1]), fingerprint({"module": module_like(1)})
    after = fingerprint(here.VALUES[:1]), fingerprint({"module": module_like(2)})
    assert before[0] == after[0]
    assert before[1] != after[1]


def module_like(width):
    found = type(sys)("users_blocks")
    found.width = width
    found.add = add
    return found


def test_what_cannot_be_described_is_refused():
    """A lock, or a list in itself, has no fingerprint, and is named."""
    with pytest.raises(NoFingerprint, match=r"lock.* cannot be pickled"):
        fingerprint([threading.Lock()])
    endless = []
    endless.append(endless)
    with pytest.raises(NoFingerprint, match="a list contains itself"):
        fingerprint(endless)


# --- modules that a function imports, and what it names in them

HELPERS = """
import functools

ACT = "relu"
_WIDTH = 3

def _act():
    return "relu"

@functools.lru_cache(maxsize=None)
def choose():
    return 4
"""
USES = {
    "name": "def build():\n    from users_help.blocks import ACT\n    return ACT",
    "module": "def build():\n    import users_help.blocks as b\n    return b.ACT",
    "dotted": "def build():\n    import users_help.blocks\n"
    "    return users_help.blocks._act()",
    "submodule": "def build():\n    from users_help import blocks\n"
    "    return lambda: blocks._act()",
    "relative": "def build():\n    from .blocks import _WIDTH\n    return _WIDTH",
    "global": "from users_help import blocks\ndef build():\n    return blocks._act()",
    "package": "import users_help.blocks\ndef build():\n"
    "    return users_help.blocks._act()",
    "inside": "def outer():\n    from users_help import blocks\n    def build():\n"
    "        return blocks._WIDTH\n    return build\nbuild = outer()",
    "cached": "from users_help.blocks import choose\ndef build():\n    return choose()",
}


@pytest.fixture
def users_package(tmp_path, monkeypatch):
    """Return a function that writes the user's package, as a new process finds it."""
    folder = tmp_path / "users_help"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(source):
        (folder / "blocks.py").write_text(source, encoding="utf-8")
        forget()

    def forget():
        for name in ("users_help", "users_help.blocks"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    yield write
    forget()


def run_in_package(source):
    """Return the function `build` of a module in the user's package."""
    names = {"__name__": "users_help.networks", "__package__": "users_help"}
    exec(source, names)
    return names["build"]


@pytest.mark.parametrize(
    ("use", "before", "after"),
    [
        ("name", '"relu"\n_W', '"selu"\n_W'),
        ("module", '"relu"\n_W', '"selu"\n_W'),
        ("dotted", 'return "relu"', 'return "selu"'),
        ("submodule", 'return "relu"', 'return "selu"'),
        ("relative", "= 3", "= 5"),
        ("global", 'return "relu"', 'return "selu"'),
        ("package", 'return "relu"', 'return "selu"'),
        ("inside", "= 3", "= 5"),
        ("cached", "return 4", "return 5"),
    ],
)
def test_a_change_in_an_imported_module_shows(users_package, use, before, after):
    """Imports inside a function, private names and cached helpers count."""
    users_package(HELPERS)
    first = fingerprint(run_in_package(USES[use]))
    build = run_in_package(USES[use])
    build()
    assert fingerprint(build) == first  # imported or not yet
    changed = HELPERS.replace(before, after)
    assert changed != HELPERS
    users_package(changed)
    assert fingerprint(run_in_package(USES[use])) != first


def test_private_names_that_no_code_uses_do_not_count(users_package):
    """What a module keeps to itself counts only where the code names it."""
    users_package(HELPERS)
    first = fingerprint(run_in_package(USES["global"]))
    users_package(HELPERS.replace("_WIDTH = 3", "_WIDTH = 5"))
    assert fingerprint(run_in_package(USES["global"])) == first


def test_imports_that_fail_or_are_installed_are_names():
    """A package that is missing, or installed and not imported, is left alone."""

    def build():
        try:
            import no_such_module
            from no_such_package.blocks import ACT
        except ImportError:
            from wsgiref.util import guess_scheme as ACT  # noqa: N812
            from xml.sax import expatreader as no_such_module
        return ACT, no_such_module

    before = set(sys.modules)
    assert fingerprint(build) == fingerprint(build)
    assert set(sys.modules) == before


@dataclass
class Builder:
    """A model function with state that its comparison leaves out."""

    width: int
    scale: float = field(default=1.0, compare=False)

    def __post_init__(self):
        self.depth = 2

    @functools.cached_property
    def units(self):
        return [self.width] * self.depth


@dataclass(slots=True)
class Slotted:
    """A value without a `__dict__`."""

    scale: float = field(default=1.0, compare=False)


def test_all_that_a_data_class_holds_counts():
    """Fields that are not compared, and attributes that are no fields, count."""
    deeper = Builder(3)
    deeper.depth = 3
    values = [Builder(3), Builder(3, scale=2.0), deeper, Slotted(), Slotted(2.0)]
    assert len(set(map(fingerprint, values))) == len(values)
    used = Builder(3)
    assert used.units == [3, 3]
    assert fingerprint(used) == fingerprint(Builder(3))  # a cache is no content


SCRIPT = """
import functools
import sys
import joblib
import keras
from skkeras_tune.training.fingerprint import fingerprint

NAMES = {"alpha", "beta", "gamma", "delta"}

class Layer(keras.layers.Layer):
    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def call(self, inputs):
        return inputs * self.width if "x" in {"x", "y", "z"} else inputs

def close(width):
    def build(meta, depth=1):
        return [Layer(width) for _ in range(depth) if meta in NAMES]
    return build

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
VALUES = [close, close(3), Layer, lambda x: x, functools.partial(close, 3), NAMES]
VALUES += [Layer().call, model, keras.optimizers.Adam, {"a": [Layer, None]}]

def use_helpers(meta):
    import blocks
    from blocks import _act, choose as chosen
    return blocks._WIDTH, _act(), chosen()

VALUES.insert(0, use_helpers)

if __name__ == "__main__":
    print(*map(fingerprint, VALUES))
    if sys.argv[1:]:
        tasks = [joblib.delayed(fingerprint)(value) for value in VALUES[:7]]
        print(*joblib.Parallel(n_jobs=2)(tasks))
"""


@pytest.mark.slow
def test_other_processes_find_the_same(tmp_path):
    """Fingerprints are the same whatever the hash seed, and in joblib's workers."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "blocks.py").write_text(HELPERS, encoding="utf-8")
    here, in_workers = run_script(script, "1", "with workers")
    assert here[:7] == in_workers
    assert run_script(script, "2") == [here]


def run_script(script, hash_seed, *arguments):
    """Return the words of each line that a script prints."""
    run = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [line.split() for line in run.stdout.splitlines()]
