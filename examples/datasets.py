"""The examples' data sets: names in, features and targets out.

Files are looked for in the folder that the environment variable SKKERAS_TUNE_DATA
names. Without it, scikit-learn and Keras download the data once.
"""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import fetch_california_housing, fetch_openml

#: Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

FASHION_MNIST_LABELS = np.array(
    [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]
)  # fmt: skip

PIMA_FEATURES = [
    "pregnancies", "glucose", "blood_pressure", "skin_thickness",
    "insulin", "body_mass_index", "pedigree", "age",
]  # fmt: skip


def load_pima() -> tuple[pd.DataFrame, pd.Series]:
    """Return the Pima Indians diabetes data: 768 women, 268 of them with diabetes.

    Zeros from "glucose" to "body_mass_index" stand for missing values; they are left
    as they are.

    Returns
    -------
    X : DataFrame of shape (768, 8)
    y : Series of int of shape (768,)
        1 for a woman who got diabetes within five years.
    """
    name = "pima_indians_diabetes.csv"
    if path := _find(name):
        table = pd.read_csv(path, header=None, names=[*PIMA_FEATURES, "class"])
        return table[PIMA_FEATURES].astype(float), table["class"]
    table = _fetch(name, lambda: fetch_openml("diabetes", version=1, as_frame=True))
    # OpenML has the same columns in the same order, under shorter names.
    X = table.data.set_axis(PIMA_FEATURES, axis="columns").astype(float)
    return X, (table.target == "tested_positive").astype(int)


def load_titanic() -> tuple[pd.DataFrame, pd.Series]:
    """Return the passengers of the Titanic: who lived, of 891.

    Names, tickets and cabins are text; ages, cabins and ports are missing here and
    there. OpenML's copy has 1,309 passengers.

    Returns
    -------
    X : DataFrame of shape (n_passengers, 11)
    y : Series of int of shape (n_passengers,)
        1 for a passenger who survived.
    """
    name = "titanic_train.csv"
    if path := _find(name):
        table = pd.read_csv(path)
    else:
        table = _fetch(name, lambda: fetch_openml("titanic", version=1, as_frame=True))
        table = table.frame.rename(columns=str.capitalize).rename(
            columns={"Sibsp": "SibSp"}
        )
        table = table.drop(columns=["Boat", "Body", "Home.dest"])
        table.insert(0, "PassengerId", range(1, len(table) + 1))
    return table.drop(columns="Survived"), table["Survived"].astype(int)


def load_california_housing() -> tuple[pd.DataFrame, pd.Series]:
    """Return the California housing data: districts of the 1990 census.

    The csv file lacks `total_bedrooms` in 207 of its 20,640 districts, which are left
    out; scikit-learn's copy has them all.

    Returns
    -------
    X : DataFrame of shape (n_districts, 8)
        The columns of `sklearn.datasets.fetch_california_housing`.
    y : Series of float of shape (n_districts,)
        Median house value, in units of 100,000 dollars.
    """
    name = "california_housing.csv.gz"
    if path := _find(name):
        return _derive_california(pd.read_csv(path).dropna(subset="total_bedrooms"))
    data = _fetch(name, lambda: fetch_california_housing(as_frame=True))
    return data.data, data.target


def _derive_california(districts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Turn the census's totals into scikit-learn's averages per household."""
    X = pd.DataFrame(
        {
            "MedInc": districts["median_income"],
            "HouseAge": districts["housing_median_age"],
            "AveRooms": districts["total_rooms"] / districts["households"],
            "AveBedrms": districts["total_bedrooms"] / districts["households"],
            "Population": districts["population"],
            "AveOccup": districts["population"] / districts["households"],
            "Latitude": districts["latitude"],
            "Longitude": districts["longitude"],
        }
    )
    return X, districts["median_house_value"].rename("MedHouseVal") / 100_000


def load_fashion_mnist() -> tuple[
    NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]
]:
    """Return Fashion-MNIST: 70,000 grey pictures of ten kinds of clothes.

    Returns
    -------
    X_train : ndarray of float32 of shape (60000, 28, 28)
        Pixels from 0 (white) to 1 (black).
    y_train : ndarray of str of shape (60000,)
        One of `FASHION_MNIST_LABELS`.
    X_test, y_test : ndarray
        The same for the 10,000 test pictures.
    """
    folder = _find("fashion-mnist") or DEBIAN_FASHION_MNIST
    if folder.is_dir():
        train = _read_pictures(folder, "train")
        test = _read_pictures(folder, "t10k")
    else:
        train, test = _fetch("fashion-mnist", keras.datasets.fashion_mnist.load_data)
    return *_scale_pictures(*train), *_scale_pictures(*test)


def _read_pictures(folder: Path, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    pictures = _read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return pictures, _read_idx(folder / f"{part}-labels-idx1-ubyte.gz")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file: its fourth byte counts the axes, whose lengths follow."""
    content = gzip.decompress(path.read_bytes())
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", count=n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _scale_pictures(
    pictures: NDArray[np.uint8], codes: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    return pictures.astype(np.float32) / 255, FASHION_MNIST_LABELS[codes]


def _find(name: str) -> Path | None:
    """Return the path of a file or folder in SKKERAS_TUNE_DATA, if it is there."""
    folder = os.environ.get("SKKERAS_TUNE_DATA")
    path = Path(folder, name) if folder else None
    return path if path is not None and path.exists() else None


def find_file(name: str) -> Path:
    """Return the path of a file in SKKERAS_TUNE_DATA, or end the program with advice.

    For data that is not to be downloaded.
    """
    path = _find(name)
    if path is None:
        message = (
            f"{name} is not here.\n"
            "Set the environment variable SKKERAS_TUNE_DATA to a folder that has it."
        )
        raise SystemExit(message)
    return path


def _fetch(name: str, download: Callable[[], Any]) -> Any:
    """Download a data set, or end the program with advice."""
    try:
        return download()
    except Exception as error:  # each fetcher fails in its own way without a network
        message = (
            f"{name} is not here, and downloading it failed ({error}).\n"
            "Set the environment variable SKKERAS_TUNE_DATA to a folder that has it."
        )
        raise SystemExit(message) from error
