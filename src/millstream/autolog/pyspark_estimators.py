"""What the estimators of Spark ML are made of: the names of their parts, their parameters, their searches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Names = Mapping[str, str]

# Parameters that name columns which a stage reads, and that name columns which it makes.
_READS = ("inputCol", "inputCols", "featuresCol", "userCol", "itemCol", "itemsCol", "censorCol")
_MAKES = ("outputCol", "outputCols", "predictionCol", "probabilityCol", "rawPredictionCol", "quantilesCol",
          "topicDistributionCol")
_TAUGHT = ("labelCol", "weightCol")
# Stages whose columns stand in a text.
_OPAQUE = ("SQLTransformer", "RFormulaModel")


def is_search(estimator: Any) -> bool:
    """Whether an estimator tries candidates: ``CrossValidator``, ``TrainValidationSplit``."""
    return bool(estimator.hasParam("estimatorParamMaps") and estimator.hasParam("evaluator"))


def names_of(estimator: Any) -> Names:
    """The names of an estimator and its parts by their uids: their classes, numbered from 1 where a class is there
    more than once."""
    parts = list(_parts(estimator))
    counts = Counter(type(part).__name__ for part in parts)
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    for part in parts:
        name = type(part).__name__
        seen[name] += 1
        names[part.uid] = f"{name}_{seen[name]}" if counts[name] > 1 else name
    return names


def params_of(estimator: Any, names: Names, prefix: str = "") -> dict[str, Any]:
    """The parameters of an estimator and its parts that are set or have a default; those of parts as ``Part.name``.

    Of a search, those of its evaluator and its own; its candidates are runs of their own.
    """
    found: dict[str, Any] = {}
    for param, value in sorted(estimator.extractParamMap().items(), key=lambda item: str(item[0].name)):
        if param.name == "estimatorParamMaps":
            continue
        found[prefix + param.name] = _shown(value, names)
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if _is_part(part) and not (is_search(estimator) and param.name == "estimator"):
                found.update(params_of(part, names, f"{names.get(part.uid, type(part).__name__)}."))
    return found


def candidate_of(params: Mapping[Any, Any], names: Names) -> dict[str, Any]:
    """A parameter map, as a search has one for each candidate, by ``Part.name``."""
    return {f"{names.get(param.parent, param.parent)}.{param.name}": _shown(value, names)
            for param, value in params.items()}


def described(estimator: Any, names: Names) -> dict[str, Any]:
    """The content of ``estimator_info.json``: how an estimator is made up, and what each search in it tries."""
    info: dict[str, Any] = {"hierarchy": _hierarchy(estimator, names)}
    for part in _parts(estimator):
        if is_search(part):
            tuned = part.getEstimator()
            info[names[part.uid]] = {
                "tuning_parameter_map_list": [candidate_of(one, names) for one in part.getEstimatorParamMaps()],
                "tuned_estimator_parameter_map": params_of(tuned, names, f"{names[tuned.uid]}."),
            }
    return info


def search_in(estimator: Any, model: Any) -> tuple[Any, Any] | None:
    """The search that an estimator is, or that is the first in a pipeline, with the model that it made."""
    if is_search(estimator):
        return estimator, model
    if hasattr(estimator, "getStages"):
        for stage, made in zip(estimator.getStages(), model.stages, strict=True):
            found = search_in(stage, made)
            if found is not None:
                return found
    return None


def columns_needed(model: Any, columns: list[str]) -> list[str]:
    """Those columns of its training data that a model needs to predict.

    Where a stage does not tell what it reads, all but those that the model learned to predict.
    """
    stages = list(_stages(model))
    makes = {name for stage in stages for name in _columns(stage, _MAKES)}
    if any(type(stage).__name__ in _OPAQUE or not (_columns(stage, _READS) or _columns(stage, _MAKES))
           for stage in stages):
        taught = {name for stage in stages for name in _columns(stage, _TAUGHT)}
        return [name for name in columns if name not in taught and name not in makes]
    needed = set(_columns(stages[-1], _READS)) if stages else set(columns)
    for stage in reversed(stages[:-1]):
        made = set(_columns(stage, _MAKES))
        if made & needed:
            needed = (needed - made) | set(_columns(stage, _READS))
    return [name for name in columns if name in needed]


def _parts(estimator: Any) -> Iterator[Any]:
    """An estimator and all that are its parameters, from the top."""
    yield estimator
    for value in estimator.extractParamMap().values():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if _is_part(part):
                yield from _parts(part)


def _hierarchy(estimator: Any, names: Names) -> dict[str, Any]:
    made: dict[str, Any] = {"name": names[estimator.uid]}
    if is_search(estimator):
        made["evaluator"] = {"name": names[estimator.getEvaluator().uid]}
        made["tuned_estimator"] = _hierarchy(estimator.getEstimator(), names)
        return made
    for param, value in estimator.extractParamMap().items():
        if isinstance(value, (list, tuple)) and value and all(_is_part(part) for part in value):
            made[param.name] = [_hierarchy(part, names) for part in value]
        elif _is_part(value):
            made[param.name] = _hierarchy(value, names)
    return made


def _stages(model: Any) -> Iterator[Any]:
    """The stages of a model that follow one another; of a search, those of its best model."""
    if hasattr(model, "bestModel"):
        yield from _stages(model.bestModel)
    elif hasattr(model, "stages"):
        for stage in model.stages:
            yield from _stages(stage)
    else:
        yield model


def _columns(stage: Any, params: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for name in params:
        if stage.hasParam(name) and stage.isDefined(name):
            value = stage.getOrDefault(name)
            found += [value] if isinstance(value, str) else list(value)
    return found


def _is_part(value: Any) -> bool:
    return hasattr(value, "extractParamMap") and hasattr(value, "uid")


def _shown(value: Any, names: Names) -> Any:
    if isinstance(value, (list, tuple)):
        return [_shown(item, names) for item in value]
    return names.get(value.uid, type(value).__name__) if _is_part(value) else value
