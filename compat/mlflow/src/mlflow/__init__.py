"""Millstream under the name that programs written for MLflow import.

The modules are Millstream's own, not copies: ``mlflow.entities is millstream.entities``, so an ``isinstance`` or a
patched function holds under both names. Only the version differs.
"""

# Nothing else may be defined here: every other name of the package is one of Millstream's.
import sys as _sys

from mlflow import _names
from mlflow.version import VERSION as _version

_names.refuse_company()
__version__ = _version
__all__ = _names.install(_sys.modules[__name__])
