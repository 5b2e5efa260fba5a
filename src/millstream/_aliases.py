"""Modules that MLflow's users import by a name that is not the one they have here.

``from millstream.entities.run_info import RunInfo`` gives the module that holds it, and
``from millstream.utils.mlflow_tags import MLFLOW_RUN_NAME`` too. The finder is asked after all others, so it costs
nothing to imports that succeed without it.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # the module typing costs more than this one
if TYPE_CHECKING:
    import types
    from collections.abc import Sequence

# Name below the package → the module it stands for; None for a package that only holds others.
ALIASES: dict[str, str | None] = {
    "client": "millstream.tracking.client",
    "deployments": "millstream.tracking.deployments",
    "metrics": "millstream.evaluation.standard",
    "system_metrics": "millstream.config",
    "version": "millstream._version",
    "entities.experiment_tag": "millstream.entities",
    "entities.dataset_input": "millstream.entities",
    "entities.file_info": "millstream.entities",
    "entities.input_tag": "millstream.entities",
    "entities.lifecycle_stage": "millstream.entities",
    "entities.logged_model_input": "millstream.entities",
    "entities.logged_model_output": "millstream.entities",
    "entities.logged_model_parameter": "millstream.entities",
    "entities.logged_model_status": "millstream.entities",
    "entities.logged_model_tag": "millstream.entities",
    "entities.model_registry.model_version": "millstream.entities.model_registry",
    "entities.model_registry.model_version_stages": "millstream.entities.model_registry",
    "entities.model_registry.model_version_status": "millstream.entities.model_registry",
    "entities.model_registry.model_version_tag": "millstream.entities.model_registry",
    "entities.model_registry.registered_model": "millstream.entities.model_registry",
    "entities.model_registry.registered_model_alias": "millstream.entities.model_registry",
    "entities.model_registry.registered_model_tag": "millstream.entities.model_registry",
    "entities.param": "millstream.entities",
    "entities.run_data": "millstream.entities",
    "entities.run_info": "millstream.entities",
    "entities.run_inputs": "millstream.entities",
    "entities.run_outputs": "millstream.entities",
    "entities.run_status": "millstream.entities",
    "entities.run_tag": "millstream.entities",
    "entities.source_type": "millstream.entities",
    "entities.view_type": "millstream.entities",
    "models.evaluation": "millstream.evaluation",
    "models.model": "millstream.models.mlmodel",
    "models.model_config": "millstream.models.config",
    "models.utils": "millstream.flavors.community",
    "models.evaluation.artifacts": "millstream.evaluation.contents",
    "models.evaluation.base": "millstream.evaluation",
    "models.evaluation.validation": "millstream.evaluation.thresholds",
    "projects.backend": None,
    "projects.backend.abstract_backend": "millstream.projects.mlflow_names",
    "projects.submitted_run": "millstream.projects.submitted",
    "projects.utils": "millstream.projects.mlflow_names",
    "protos": None,
    "protos.databricks_pb2": "millstream.exceptions",
    "pyfunc.loaders": None,
    "pyfunc.loaders.code_model": "millstream.flavors.pyfunc.loading",
    "pyfunc.model": "millstream.flavors.pyfunc.python_model",
    "pyfunc.utils": "millstream.models.mlflow_names",
    "pyfunc.utils.data_validation": "millstream.models.mlflow_names",
    "store": None,
    "store.entities": "millstream.entities",
    "store.entities.paged_list": "millstream.entities",
    "store.tracking": "millstream.tracking.mlflow_names",
    "tracking._model_registry": "millstream.flavors.community",
    "tracking.artifact_utils": "millstream.tracking.files",
    "tracking.context.registry": "millstream.tracking.mlflow_names",
    "tracking.metric_value_conversion_utils": "millstream.tracking.checks",
    "types": "millstream.models.schema",
    "types.schema": "millstream.models.schema",
    "types.type_hints": "millstream.models.hints",
    "types.utils": "millstream.models.inference",
    "utils": None,
    "utils.async_logging": None,
    "utils.async_logging.run_operations": "millstream.tracking.pending",
    "utils.docstring_utils": "millstream.flavors.community",
    "utils.environment": "millstream.flavors.community",
    "utils.file_utils": "millstream.flavors.community",
    "utils.mlflow_tags": "millstream.tracking.tags",
    "utils.model_utils": "millstream.flavors.community",
    "utils.requirements_utils": "millstream.flavors.community",
    "utils.time": "millstream.tracking.mlflow_names",
    "utils.validation": "millstream.tracking.mlflow_names",
    "webhooks.constants": "millstream.webhooks",
}
_PACKAGE = "millstream."


class _Stands:
    """Puts the module that an alias stands for in the alias's place."""

    def __init__(self, target: str | None) -> None:
        self.target = target

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        if self.target is not None:
            sys.modules[module.__name__] = importlib.import_module(self.target)
            return
        prefix = module.__name__.removeprefix(_PACKAGE) + "."
        inner = {name.removeprefix(prefix) for name in ALIASES if name.startswith(prefix)}

        def find(name: str) -> types.ModuleType:
            if name not in inner:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return importlib.import_module(f"{module.__name__}.{name}")

        module.__doc__ = "Holds modules under the names that they have in MLflow."
        module.__dict__["__getattr__"] = find


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.removeprefix(_PACKAGE)
        if name == fullname or name not in ALIASES:
            return None
        stands = ALIASES[name]
        return ModuleSpec(fullname, _Stands(stands), is_package=stands is None)  # type: ignore[arg-type]


class _MlflowFinder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "mlflow" and not fullname.startswith("mlflow."):
            return None
        import importlib.util

        stands = _PACKAGE[:-1] + fullname[len("mlflow"):]
        if stands not in sys.modules and importlib.util.find_spec(stands) is None:
            return None
        return ModuleSpec(fullname, _Stands(stands), is_package=True)  # type: ignore[arg-type]


def stand_in_for_mlflow() -> None:
    """Let this process find Millstream's modules as ``mlflow`` where MLflow is not installed: the code of a model that
    was written for it may import it, when it is loaded and later."""
    if not any(isinstance(finder, _MlflowFinder) for finder in sys.meta_path):
        sys.meta_path.append(_MlflowFinder())


def install() -> None:
    """Let the aliases be imported from now on; again does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
