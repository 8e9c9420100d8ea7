"""`KerasClassifier`: labels in y, their probabilities out; no arithmetic."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags

from skkeras_tune._compat.sklearn import StrOptions
from skkeras_tune.estimators.averaging import (
    measure_uncertainty,
    refuse_several_outputs,
)
from skkeras_tune.estimators.base import KerasEstimator
from skkeras_tune.estimators.parameters import CONSTRAINTS
from skkeras_tune.estimators.targets import ClassTargetEncoder, refuse_other_classes
from skkeras_tune.log_probabilities import LogProbabilitiesMixin
from skkeras_tune.losses import loss_family
from skkeras_tune.network import Normalization
from skkeras_tune.training.engine import Engine


class KerasClassifier(ClassifierMixin, LogProbabilitiesMixin, KerasEstimator):
    """A Keras network as a scikit-learn classifier.

    Takes labels of any type, in one column (two classes or more) or as indicators of
    several labels. The output layer and the loss follow from the target.

    Parameters
    ----------
    model : callable, keras.Model or None, default=None
        None trains the built-in multilayer perceptron (see `build_mlp`), shaped by the
        parameters below. A function (or any callable) is called to build the model: it
        returns a `keras.Model`, compiled or not, and may ask for ``meta`` (a dict of
        `n_features_in_`, `n_classes_` and the like), ``compile_kwargs`` (ready for
        `keras.Model.compile`) and parameters of its own, which become parameters of
        the estimator. A model is copied for each fit, weights included.
    hidden_layer_sizes : sequence of int, int or None, default=None
        Width of each hidden layer. None takes `n_hidden` layers of `units`.
    n_hidden : int, default=1
        Number of hidden layers; 0 gives a linear model.
    units : int, default=100
        Width of each hidden layer; the default is that of scikit-learn's MLP.
    activation : str, callable or None, default="relu"
        Activation of the hidden layers, by any name that Keras knows.
    dropout : float in [0, 1), default=0.0
        Share of each hidden layer's outputs dropped in training.
    normalization : {"batch", "layer"} or None, default=None
        Normalisation between each hidden layer's weights and its activation.
    l1, l2 : float, default=0.0
        Penalties on the kernels, added to the loss.
    wide : bool, default=False
        Also join the inputs to the last layer.
    kernel_initializer : str or keras.initializers.Initializer, default="auto"
        "auto" is He-normal for ReLU and its kin, LeCun-normal for SELU, and
        Glorot-uniform otherwise.
    optimizer : str, class or keras.optimizers.Optimizer, default="adam"
        Options go through the route, as in ``optimizer__momentum=0.9``.
    learning_rate : float or keras LearningRateSchedule, default=1e-3
        Step size, unless ``optimizer__learning_rate`` is given. With an optimizer
        instance it applies only when it was set.
    batch_size : int or None, default=32
        Rows per gradient step. -1 is all rows, None is 32.
    epochs : int, default=100
        Passes over the training rows, at most.
    loss : str, class, keras.losses.Loss, callable, list or dict, default="auto"
        "auto" is binary cross-entropy for two classes and for several labels, and
        sparse categorical cross-entropy for more classes, or the categorical one where
        a metric or label smoothing needs a target for each class. Options go through
        the route, as in ``loss__label_smoothing=0.1``.
    metrics : str, callable, list or dict, default=None
        Metrics to compute after each epoch, as for `keras.Model.compile`. One that
        gives a number for each class or output has to average them.
    class_weight : dict, list of dicts, "balanced" or None, default=None
        Weights of the classes, multiplied with the weights of the rows; a class that a
        dict does not name weighs 1. Several labels take a list of dicts, one for each,
        and multiply. "balanced" weights each class inversely to its
        frequency. The training rows decide, and the validation loss is weighted alike.
    early_stopping : bool, default=True
        Hold out rows and stop when `monitor` has not improved for `patience` epochs.
        A `keras.callbacks.EarlyStopping` among the callbacks takes its place.
    validation_split : float in [0, 1), default=0.1
        Share of the rows to hold out of each class, drawn at random, whole groups where
        `groups` are given. Used when `early_stopping` is True, and whenever it was set.
    patience : int, default=10
        Epochs without improvement before training stops; the default is that of
        scikit-learn's ``n_iter_no_change``.
    min_delta : float, default=0.0
        Smallest change that counts as an improvement.
    monitor : str, default="val_loss"
        The entry of `history_` to watch, for its lowest value or, of a metric such as
        the accuracy, its highest, as Keras's `EarlyStopping` has it.
    restore_best_weights : bool, default=True
        Keep the weights of the best epoch rather than the last.
    refit_full : bool or float, default=False
        After early stopping, train again on all rows for this factor times the best
        number of epochs (True is 1). KerasTuner's guide takes 1.2. Callbacks take part,
        except those that monitor a value.
    callbacks : keras.callbacks.Callback, class, list or dict, default=None
        Copied for each fit; the copies are in `callbacks_`. Options of classes go
        through the route, as in ``callbacks__patience=3``.
    random_state : int, RandomState instance or None, default=None
        Decides held-out rows, initial weights, batch order and dropout. Global random
        state is left as it was. None draws fresh entropy.
    n_members : int, default=1
        Number of networks. They are trained side by side on the same rows, from seeds
        of their own, and averaged; the first is the one that ``n_members=1`` trains.
        `predict_uncertainty` says how much they differ.
    warm_start : bool, default=False
        Go on from the weights and the optimizer's state of the last fit.
    engine : {"auto", "compiled", "keras"}, default="auto"
        How to train. "compiled" runs whole epochs in one program, and raises where a
        setting or a `model` has no compiled form; "keras" is Keras's own `fit`, with
        the same answer. "auto" compiles where it can, and lets NumPy run a training
        that has ended before it would be compiled.
    memory : str, path, object with the interface of joblib.Memory or None, default=None
        Where to keep the results of trainings. A training that was done before, with
        the same rows, parameters and versions, gives its result again, so that a search
        which was killed goes on where it was. It needs a `random_state`. Fits with
        callbacks that do more than steer the training (stop it, change the rate) are
        trained each time. A fit that is remembered prints nothing.
    verbose : int or "auto", default=0
        Keras's progress output: 0 is silent, 1 a bar, 2 a line an epoch.
    **kwargs
        Parameters of the model function, and routed parameters with the prefixes
        ``model__``, ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``,
        ``fit__``, ``predict__``, ``compile__`` and ``score__``, as in scikeras.

    Attributes
    ----------
    model_ : keras.Model
        The trained model, built on first use. Of several members, a model that is not
        compiled, shares their weights and gives the mean of their outputs.
    weights_ : list of ndarray
        Its weights; of several members, those of each in turn.
    history_ : dict of str to list of float
        Loss and metrics after each epoch, ``val_`` ones on the held-out rows. Of
        several members, the mean over those still in training.
    best_epoch_ : int
        The epoch of the best monitored value, counted from 1; the last epoch without
        early stopping. Of several members, the median.
    n_epochs_ : int
        Number of epochs in `history_`.
    refit_history_ : dict of str to list of float
        History of the second training, with `refit_full`; of several members, the
        mean.
    members_ : list of estimators
        Each member as an estimator of its own, with its `history_`, `best_epoch_`,
        `weights_` and `model_`.
    seed_ : int
        What all of the fit's randomness came from: as `random_state` it repeats a fit
        that had none.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks as they were after the fit; each member has copies of its own,
        and these are the first's. Not pickled.
    engine_ : {"compiled", "keras"}
        What trained it.
    engine_reason_ : str or None
        Why it was not compiled.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_classes_ : int
        Their number.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, when X has names.

    See Also
    --------
    KerasRegressor : The same for numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkeras_tune import KerasClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = KerasClassifier(learning_rate=0.01, random_state=0)
    >>> model = make_pipeline(StandardScaler(), classifier).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _partial_classes: ArrayLike | None = None

    def __init__(
        self,
        model: Any = None,
        *,
        hidden_layer_sizes: Any = None,
        n_hidden: int = 1,
        units: int = 100,
        activation: Any = "relu",
        dropout: float = 0.0,
        normalization: Normalization = None,
        l1: float = 0.0,
        l2: float = 0.0,
        wide: bool = False,
        kernel_initializer: Any = "auto",
        optimizer: Any = "adam",
        learning_rate: Any = 1e-3,
        batch_size: int | None = 32,
        epochs: int = 100,
        loss: Any = "auto",
        metrics: Any = None,
        class_weight: Any = None,
        early_stopping: bool = True,
        validation_split: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        restore_best_weights: bool = True,
        refit_full: bool | float = False,
        callbacks: Any = None,
        random_state: Any = None,
        n_members: int = 1,
        warm_start: bool = False,
        engine: Engine = "auto",
        memory: Any = None,
        verbose: Any = 0,
        **kwargs: Any,
    ) -> None:
        self._store(locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @property
    def target_encoder(self) -> Any:
        """A new transformer of the labels; override it for other kinds of target.

        `fit(y)`, `transform(y)` and `inverse_transform(outputs, return_proba=False)`
        are called, and `get_metadata()` if there is one.
        """
        categorical = self.loss != "auto" and loss_family(self.loss) == "categorical"
        return ClassTargetEncoder(
            classes=self._partial_classes,
            one_hot=categorical or self._model_source() is not None,
        )

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train one epoch more on these rows, none of them held out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels, in the first call, where `y` may lack some.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, compared with those of other calls: unlike `fit`,
            none of them is scaled.

        Returns
        -------
        self
            The estimator itself.
        """
        if self.class_weight == "balanced":
            message = (
                "class_weight='balanced' needs all rows at once, so it does not work "
                "with partial_fit. Pass a dict, or sample_weight."
            )
            raise ValueError(message)
        if classes is not None and self._is_fitted:
            refuse_other_classes(classes, self.classes_)
        self._partial_classes = classes
        try:
            return self._fit_one_epoch(X, y, sample_weight)
        finally:
            self._partial_classes = None

    def predict_proba(self, X: ArrayLike, **options: Any) -> NDArray[Any]:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        **options
            Arguments of `keras.Model.predict`, such as `batch_size`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        outputs = self._predict_outputs(X, options)
        probabilities: NDArray[Any] = self.target_encoder_.inverse_transform(
            outputs, return_proba=True
        )
        return probabilities

    def predict_uncertainty(
        self, X: ArrayLike, **options: Any
    ) -> dict[str, NDArray[np.float64]]:
        """Return how uncertain the prediction of each row is, and why.

        The entropy of the averaged probabilities is the uncertainty of the prediction.
        It is the sum of two parts: the members' own entropy, averaged, which is high
        where the classes overlap, and the mutual information of prediction and member,
        which is high where the members disagree, as they do on rows unlike those that
        they were trained on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        **options
            Arguments of `keras.Model.predict`, such as `batch_size`.

        Returns
        -------
        dict of str to ndarray of shape (n_samples,)
            "entropy", "expected_entropy" and "mutual_information", in nats: none is
            negative, the first is the sum of the others, and at most the logarithm of
            the number of classes. For indicators of several labels, of shape
            (n_samples, n_labels), each label a question of its own.

        Raises
        ------
        ValueError
            If there is a single member, or the network has several outputs.

        References
        ----------
        Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive
        uncertainty estimation using deep ensembles", 2017, measure a prediction by the
        entropy of the members' average. Depeweg, Hernandez-Lobato, Doshi-Velez and
        Udluft, "Decomposition of uncertainty in Bayesian deep learning for efficient
        and risk-sensitive learning", 2018, part it in two.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skkeras_tune import KerasClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = KerasClassifier(n_members=3, epochs=20, random_state=0)
        >>> uncertainty = classifier.fit(X, y).predict_uncertainty(X)
        >>> sorted(uncertainty)
        ['entropy', 'expected_entropy', 'mutual_information']
        >>> uncertainty["mutual_information"].shape
        (150,)
        """
        self._refuse_single("predict_uncertainty")
        decode = self.target_encoder_.inverse_transform
        outputs = self._predict_members(X, options)
        refuse_several_outputs(outputs, "predict_uncertainty")
        return measure_uncertainty(
            [decode(output, return_proba=True) for output in outputs],
            several_labels=self.target_type_ == "multilabel-indicator",
        )

    @staticmethod
    def scorer(
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        normalize: bool = True,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy; override it to score otherwise.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True and predicted labels.
        normalize : bool, default=True
            Whether to return the share of the rows, not their number.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Higher is better.
        """
        return float(
            accuracy_score(
                y_true, y_pred, normalize=normalize, sample_weight=sample_weight
            )
        )

    score = KerasEstimator.score
