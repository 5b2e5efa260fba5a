"""The requirements of a model: what it uses, pinned as installed, and what its author lists.

Pins come from the metadata of what is installed here, never from loading the model (:mod:`millstream.models.imports`
says how its modules are read). The lines that people write are looked at by :mod:`millstream.environments.lines`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterable

from millstream.environments.lines import Requirements, parse_requirements, read_requirements
from millstream.models.distributions import Distribution, distribution_named, distribution_of, place_of
from millstream.models.imports import modules_of_code, modules_of_pickle

__all__ = [
    "Requirements", "infer_requirements", "modules_of_code", "modules_of_pickle", "parse_requirements",
    "read_requirements",
]

logger = logging.getLogger("millstream")

# Whoever restores a model's environment adds the version of Millstream that does it.
_OURSELVES = frozenset({"millstream", "millstream-mlflow"})

def infer_requirements(
    modules: Iterable[str], always: Iterable[str] = (), *, provided: Collection[str] = ()
) -> list[str]:
    """Pins (``name==version``) of the distributions that provide ``modules``, sorted by name.

    ``always`` names distributions or modules that belong to the list too. ``provided`` are modules that the model's
    own code folder brings. Every one that the model uses itself is listed, also when another one of the list depends on
    it. The standard library, Millstream itself and modules that are not installed at all (as those of an import that
    may fail) are left out. Modules that no distribution provides are named in one warning.
    """
    found: dict[str, Distribution] = {}
    local: set[str] = set()
    for name in sorted({*modules} - {*provided}):
        if _is_always_there(name):
            continue
        distribution = distribution_of(name)
        if distribution is not None:
            found[distribution.name] = distribution
        elif (place := place_of(name)) is not None:
            local.add(f"{name} ({place})")
    for name in always:
        distribution = distribution_named(name) or distribution_of(name)
        if distribution is not None:
            found[distribution.name] = distribution
    listed = [found[name] for name in sorted(found) if name not in _OURSELVES]
    if local:
        logger.warning(
            "The model uses modules that no installed package provides: %s. Give them to it with code_paths, or it "
            "will not load elsewhere.", ", ".join(sorted(local))
        )
    for distribution in listed:
        if distribution.from_folder:
            logger.warning(
                "%s %s was installed from a folder of this machine; another machine finds it only if a package index "
                "has that version.", distribution.name, distribution.version
            )
    return [distribution.pin() for distribution in listed]


def _is_always_there(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _OURSELVES or top in ("__main__", "__mp_main__", "__builtin__")
