"""What scikit-learn asks of an estimator, without scikit-learn."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any

__all__ = ["Estimator"]


class Estimator(ABC):
    """Parameters by name, as ``sklearn.base.clone``, pipelines and searches want them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Any:
        """Set constructor arguments; returns the estimator."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__}: unknown parameter {name!r}, expected one of {', '.join(known)}"
                )
            setattr(self, name, value)
        return self

    @abstractmethod
    def _fitted(self) -> bool: ...

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted()

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type="clusterer", target_tags=TargetTags(required=False))

    def _check_fitted(self) -> None:
        if not self._fitted():
            raise _not_fitted(f"{type(self).__name__}: not fitted yet; call fit(x) first")

    def __repr__(self) -> str:
        defaults = {name: one.default for name, one in inspect.signature(type(self)).parameters.items()}
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(changed)})"


def _not_fitted(message: str) -> Exception:
    """The error that scikit-learn's users catch, which is a ``ValueError``, where it is installed."""
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return ValueError(message)
    error: Exception = NotFittedError(message)
    return error
