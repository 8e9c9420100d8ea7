"""The target y in, what the network must end in out, and predictions back into y.

Two scikit-learn transformers: `ClassTargetEncoder` for labels and
`NumberTargetEncoder` for numbers. `encode` and `decode` are their `transform` and
`inverse_transform`; `resolve_head` chooses the output layer and the loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skkeras_tune.losses import build_loss, loss_family, loss_name, takes_logits


@dataclass(frozen=True)
class Head:
    """What the network ends in.

    `softmax_loss` is for a model of the user's that ends in a softmax all the same.
    """

    units: int
    activation: str | None
    loss: Any
    softmax_loss: Any = None


class ClassTargetEncoder(TransformerMixin, BaseEstimator):
    """Labels of any type to class numbers, and probabilities back to labels.

    Parameters
    ----------
    classes : array-like of shape (n_classes,), default=None
        All labels, where `y` may lack some (`partial_fit`). None takes those of `y`.
    one_hot : bool, default=False
        Read an indicator matrix with a single one in each row as one label among
        many, as scikeras does, rather than as many labels.

    Attributes
    ----------
    target_type_ : {"binary", "multiclass", "multilabel-indicator", "multiclass-onehot"}
    classes_ : ndarray of shape (n_classes,)
    """

    def __init__(self, classes: ArrayLike | None = None, one_hot: bool = False) -> None:
        self.classes = classes
        self.one_hot = one_hot

    def fit(self, y: NDArray[Any]) -> "ClassTargetEncoder":
        """Learn the labels.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)

        Raises
        ------
        ValueError
            If the target is continuous, or holds fewer than two classes.
        """
        kind = describe_target(y)
        if kind in ("binary", "multiclass"):
            self._fit_labels(column_or_1d(y))  # transform warns of a column
        elif kind == "multilabel-indicator":
            self._fit_indicators(y)
        else:
            message = (
                f"Unknown label type: {kind}. y must hold class labels (one column) "
                "or label indicators; for numbers use KerasRegressor, and for several "
                "outputs override target_encoder."
            )
            raise ValueError(message)
        self.n_classes_ = len(self.classes_)
        return self

    def _fit_labels(self, y: NDArray[Any]) -> None:
        seen = np.unique(y)
        self.classes_ = seen if self.classes is None else np.unique(self.classes)
        _refuse_unknown_labels(seen, self.classes_)
        if len(self.classes_) < 2:
            message = (
                "y has 1 class (one class label only), but a classifier needs at least "
                f"2. Got {self.classes_.tolist()!r} in {len(y)} rows."
            )
            raise ValueError(message)
        self.target_type_ = "binary" if len(self.classes_) == 2 else "multiclass"

    def _fit_indicators(self, y: NDArray[Any]) -> None:
        self.classes_ = np.arange(y.shape[1])
        single = self.one_hot and bool(np.all(np.sum(y != 0, axis=1) == 1))
        self.target_type_ = "multiclass-onehot" if single else "multilabel-indicator"

    def transform(self, y: NDArray[Any]) -> NDArray[Any]:
        """Encode labels as the network's targets.

        Returns
        -------
        ndarray
            Class numbers of shape (n_samples,), or floats of shape
            (n_samples, n_labels) for indicators.
        """
        check_is_fitted(self, "classes_")
        if self.target_type_ in ("multilabel-indicator", "multiclass-onehot"):
            if np.ndim(y) != 2 or y.shape[1] != self.n_classes_:
                message = (
                    f"y has shape {np.shape(y)}, but this estimator was fitted with "
                    f"{self.n_classes_} label columns."
                )
                raise ValueError(message)
            indicators: NDArray[Any] = (y != 0).astype(keras.config.floatx())
            return indicators
        y = column_or_1d(y, warn=True)
        _refuse_unknown_labels(np.unique(y), self.classes_)
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def inverse_transform(
        self, outputs: NDArray[Any], return_proba: bool = False
    ) -> NDArray[Any]:
        """Decode the network's outputs.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_units)
            Probabilities.
        return_proba : bool, default=False
            Return probabilities, of shape (n_samples, n_classes), rather than labels.
        """
        check_is_fitted(self, "classes_")
        outputs = np.asarray(outputs).reshape(len(outputs), -1)
        if self.target_type_ == "binary" and outputs.shape[1] == 1:
            outputs = np.hstack([1 - outputs, outputs])
        if return_proba:
            return outputs
        if self.target_type_ == "multilabel-indicator":
            indicators: NDArray[Any] = (outputs > 0.5).astype(int)
            return indicators
        winners = np.argmax(outputs, axis=1)
        one_hot = self.target_type_ == "multiclass-onehot"
        rows = np.eye(self.n_classes_, dtype=int) if one_hot else self.classes_
        labels: NDArray[Any] = rows[winners]
        return labels

    def get_metadata(self) -> dict[str, Any]:
        """Return what a model function may want to know of the target."""
        return {
            "classes_": self.classes_,
            "n_classes_": self.n_classes_,
            "n_outputs_": 1,
            "n_outputs_expected_": 1,
            "target_type_": self.target_type_,
        }

    def resolve_head(self, loss: Any, options: Mapping[str, Any]) -> Head:
        """Choose the output layer and the loss.

        Raises
        ------
        ValueError
            If `loss` does not fit the target.
        """
        several, softmax_loss = self.target_type_ == "multiclass", None
        if loss == "auto":
            loss = self._default_loss(options)
            if self.target_type_ == "binary":
                softmax_loss = build_loss(_name_softmax_loss(options), options)
        loss = build_loss(loss, options)
        family = loss_family(loss)
        self._refuse_unfit_loss(loss, family)
        if self.target_type_ == "multilabel-indicator":
            units, activation = self.n_classes_, "sigmoid"
        elif several or family in ("sparse", "categorical"):
            units, activation = self.n_classes_, "softmax"
        elif self.target_type_ == "multiclass-onehot":
            units, activation = self.n_classes_, "softmax"
        else:
            units, activation = 1, "sigmoid"
        return Head(
            units, None if takes_logits(loss) else activation, loss, softmax_loss
        )

    def _default_loss(self, options: Mapping[str, Any]) -> str:
        if self.target_type_ == "multiclass-onehot":
            return "categorical_crossentropy"
        if self.target_type_ != "multiclass":
            return "binary_crossentropy"
        return _name_softmax_loss(options)

    def _refuse_unfit_loss(self, loss: Any, family: str) -> None:
        fitting = {
            "binary": ("binary", "sparse", "categorical", "regression", "custom"),
            "multiclass": ("sparse", "categorical", "regression", "custom"),
            "multilabel-indicator": ("binary", "regression", "custom"),
            "multiclass-onehot": ("categorical", "regression", "custom"),
        }[self.target_type_]
        if family in fitting:
            return
        message = (
            f"loss={loss_name(loss)!r} does not fit a {self.target_type_} target with "
            f"{self.n_classes_} classes. Use loss='auto', which is "
            f"{self._default_loss({})!r} here."
        )
        raise ValueError(message)


class NumberTargetEncoder(TransformerMixin, BaseEstimator):
    """Numbers to the network's targets, and its outputs back to the shape of y."""

    def fit(self, y: NDArray[Any]) -> "NumberTargetEncoder":
        """Learn the shape and type of `y`, of shape (n_samples,) or (n_samples, k)."""
        self.row_shape_ = y.shape[1:]
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self.target_type_ = describe_target(y)
        self.dtype_ = (
            y.dtype if y.dtype.kind == "f" else np.dtype(keras.config.floatx())
        )
        return self

    def transform(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return `y` as floats of shape (n_samples, n_outputs)."""
        check_is_fitted(self, "row_shape_")
        if y.shape[1:] != self.row_shape_:
            message = (
                f"y has shape {y.shape}, but this estimator was fitted with targets of "
                f"shape (n_samples,{' ' if self.row_shape_ else ''}"
                f"{', '.join(map(str, self.row_shape_))})."
            )
            raise ValueError(message)
        with np.errstate(over="ignore"):
            numbers = y.astype(keras.config.floatx()).reshape(len(y), -1)
        if not np.isfinite(numbers).all():
            message = (
                "y holds a value too large for the network's "
                f"{keras.config.floatx()}: {np.max(np.abs(y))!r}. Scale y, for "
                "instance with TransformedTargetRegressor."
            )
            raise ValueError(message)
        return numbers

    def inverse_transform(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return predictions in the shape of `y`, and in its type when it was float."""
        check_is_fitted(self, "row_shape_")
        predictions = np.asarray(outputs).reshape(len(outputs), *self.row_shape_)
        return predictions.astype(self.dtype_, copy=False)

    def get_metadata(self) -> dict[str, Any]:
        """Return what a model function may want to know of the target."""
        return {
            "n_outputs_": self.n_outputs_,
            "n_outputs_expected_": 1,
            "target_type_": self.target_type_,
        }

    def resolve_head(self, loss: Any, options: Mapping[str, Any]) -> Head:
        """Choose the output layer and the loss (see `ClassTargetEncoder`).

        Poisson regression ends in an exponential, its canonical link.
        """
        loss = build_loss("mean_squared_error" if loss == "auto" else loss, options)
        if loss_family(loss) not in ("regression", "custom"):
            message = (
                f"loss={loss_name(loss)!r} does not fit a regression target. "
                "Use loss='auto', which is 'mean_squared_error', or KerasClassifier."
            )
            raise ValueError(message)
        activation = "exponential" if loss_name(loss) == "poisson" else None
        return Head(self.n_outputs_, activation, loss)


def _name_softmax_loss(options: Mapping[str, Any]) -> str:
    smoothed = "label_smoothing" in options
    return ("" if smoothed else "sparse_") + "categorical_crossentropy"


def shape_numbers(y: Any) -> Any:
    """Return the encoded target of a regressor as a matrix of floats.

    An encoder of the user's may keep integers, which are class numbers elsewhere, and
    one column without an axis of its own. Nested targets pass through.
    """
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "biuf":
        return y
    if y.dtype.kind != "f":
        y = y.astype(keras.config.floatx())
    return y[:, np.newaxis] if y.ndim == 1 else y


def read_class_numbers(y: Any) -> NDArray[Any] | None:
    """Return the class number of each row of an encoded target, if it has one.

    A matrix with a single one in each row is one-hot.
    """
    if not isinstance(y, np.ndarray):
        return None
    if y.dtype.kind in "iu":
        return y
    is_one_hot = (
        y.ndim == 2 and y.shape[1] > 1 and bool((y != 0).sum(axis=1).max() == 1)
    )
    if not (is_one_hot and np.isin(y, (0, 1)).all() and y.any(axis=1).all()):
        return None
    numbers: NDArray[Any] = np.argmax(y, axis=1)
    return numbers


def refuse_other_classes(classes: ArrayLike, known: NDArray[Any]) -> None:
    """Refuse another set of labels than that of the first `partial_fit`."""
    if not np.array_equal(np.unique(classes), known):
        message = (
            f"classes={np.unique(classes).tolist()!r} is not what the first call of "
            f"partial_fit learnt: {known.tolist()!r}."
        )
        raise ValueError(message)


def refuse_single_class(y: Any) -> None:
    """Refuse class numbers that are all the same, as weights of zero can leave them."""
    if isinstance(y, np.ndarray) and y.dtype.kind in "iu" and len(np.unique(y)) == 1:
        message = (
            f"y has 1 class in the {len(y)} rows that have a weight, but a classifier "
            "needs at least 2."
        )
        raise ValueError(message)


def describe_target(y: NDArray[Any]) -> str:
    """Return scikit-learn's word for the kind of target, such as "multiclass"."""
    if y.ndim == 1 and y.dtype.kind in "iuf":
        # scikit-learn 1.7 warns of whole numbers that hardly repeat, as targets may be.
        y = np.concatenate([y, y])
    with np.errstate(invalid="ignore"):  # large numbers do not fit its integers
        return str(type_of_target(y, input_name="y", raise_unknown=True))


def _refuse_unknown_labels(seen: NDArray[Any], classes: NDArray[Any]) -> None:
    unknown = np.setdiff1d(seen, classes)
    if unknown.size:
        message = (
            f"y holds labels that the classifier does not know: {unknown.tolist()!r}. "
            f"Its classes are {classes.tolist()!r}."
        )
        raise ValueError(message)
