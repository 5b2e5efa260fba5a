"""Where the trials of a search across processes come from: Optuna or Hyperopt, asked in the process of the search.

A proposal carries a ``record``, from which another process makes the library know the trial again. Proposals follow
from the seed, the number and the trials that are over, so a search that goes on after a kill proposes what it would
have proposed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from millstream.errors import InvalidValue


@dataclass(frozen=True)
class Proposal:
    """What to try: the configuration that the objective is called with, and its record for the library, as JSON values.

    ``ticket`` is what the library knows it by in this process.
    """

    number: int
    config: dict[str, Any]
    record: dict[str, Any]
    ticket: Any


class Proposals(Protocol):
    """A library that proposes. Values are better the lower or the higher they are, as the search says."""

    library: str

    def ask(self, number: int, record: Mapping[str, Any] | None = None) -> Proposal:
        """What to try as trial ``number``: something new, or what the ``record`` holds."""

    def tell(self, proposal: Proposal, value: float | None) -> None:
        """How good it was; None when it failed."""


def proposals_for(space: Any, algorithm: Any, *, maximize: bool, seed: int, parallel: int) -> Proposals:
    """The library that the space is written for. Raises InvalidValue for what is no space."""
    if not callable(space) and not (isinstance(space, Mapping) and space):
        raise InvalidValue(f"a space is a dictionary or a function of a trial, not {space!r:.80}")
    if callable(space) or all(_is_of(one, "optuna") for one in space.values()):
        return OptunaProposals(space, algorithm, maximize=maximize, seed=seed, parallel=parallel)
    return HyperoptProposals(space, algorithm, maximize=maximize, seed=seed)


def _is_of(one: object, library: str) -> bool:
    return type(one).__module__.partition(".")[0] == library


def seed_of(seed: int, number: int) -> int:
    """The seed of one proposal: 32 bits that depend on both."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")


class OptunaProposals:
    """A study in memory. The space maps names to distributions, or is a function of a trial that suggests.

    What a function returns is the configuration, or the trial's parameters when it returns nothing.
    """

    library = "optuna"

    def __init__(self, space: Any, algorithm: Any, *, maximize: bool, seed: int, parallel: int) -> None:
        import optuna

        self._space = space
        self._seed = seed
        self._parallel = parallel
        self._own = algorithm is not None
        if self._own and not isinstance(algorithm, optuna.samplers.BaseSampler):
            raise InvalidValue.of("algorithm", repr(algorithm), "for a space of Optuna it is one of its samplers")
        # The library would log each trial; the runs do.
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
        self._study = optuna.create_study(direction="maximize" if maximize else "minimize", sampler=algorithm)
        optuna.logging.set_verbosity(verbosity)

    def ask(self, number: int, record: Mapping[str, Any] | None = None) -> Proposal:
        import optuna

        if not self._own:
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed_of(self._seed, number), constant_liar=self._parallel > 1
            )
        if record is not None:
            _known(record, "params")
            self._study.enqueue_trial(record["params"])
        if callable(self._space):
            trial = self._study.ask()
            returned = self._space(trial)
            config = dict(trial.params) if returned is None else dict(returned)
        else:
            trial = self._study.ask(self._space)
            config = dict(trial.params)
        return Proposal(number, config, {"params": trial.params}, trial)

    def tell(self, proposal: Proposal, value: float | None) -> None:
        import optuna

        if value is None:
            self._study.tell(proposal.ticket, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(proposal.ticket, value)


class HyperoptProposals:
    """Trials in memory, with ``space`` an expression of Hyperopt and ``algorithm`` a function like ``tpe.suggest``."""

    library = "hyperopt"

    def __init__(self, space: Any, algorithm: Callable[..., Any] | None, *, maximize: bool, seed: int) -> None:
        import hyperopt
        from hyperopt.base import Domain

        if algorithm is not None and not callable(algorithm):
            raise InvalidValue.of("algorithm", repr(algorithm), "for a space of Hyperopt it is like tpe.suggest")
        self._space = space
        self._seed = seed
        self._sign = -1.0 if maximize else 1.0
        self._suggest = algorithm or hyperopt.tpe.suggest
        self._domain = Domain(dict, space)
        self._trials = hyperopt.Trials()

    def ask(self, number: int, record: Mapping[str, Any] | None = None) -> Proposal:
        import hyperopt
        from hyperopt.base import JOB_STATE_RUNNING

        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        if record is None:
            documents = self._suggest(ids, self._domain, self._trials, seed_of(self._seed, number))
        else:
            documents = self._again(ids[0], record)
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        document = next(one for one in self._trials.trials if one["tid"] == ids[0])
        document["state"] = JOB_STATE_RUNNING
        values = {
            name: one[0].item() if hasattr(one[0], "item") else one[0]
            for name, one in document["misc"]["vals"].items() if one
        }
        config = hyperopt.space_eval(self._space, values)
        return Proposal(number, config, {"values": values}, document)

    def _again(self, trial_id: int, record: Mapping[str, Any]) -> Any:
        values = _known(record, "values")
        strange = values.keys() - self._domain.params.keys()
        if strange:
            raise InvalidValue(
                f"the search's run has trials of another space: with {', '.join(sorted(strange))}",
                hint="go on with the space that it began with, or begin a search of its own",
            )
        misc = {
            "tid": trial_id, "cmd": self._domain.cmd, "workdir": self._domain.workdir,
            "idxs": {name: [trial_id] if name in values else [] for name in self._domain.params},
            "vals": {name: [values[name]] if name in values else [] for name in self._domain.params},
        }
        return self._trials.new_trial_docs([trial_id], [None], [self._domain.new_result()], [misc])

    def tell(self, proposal: Proposal, value: float | None) -> None:
        from hyperopt.base import JOB_STATE_DONE

        document = proposal.ticket
        document["result"] = (
            {"status": "fail"} if value is None else {"status": "ok", "loss": self._sign * value}
        )
        document["state"] = JOB_STATE_DONE
        self._trials.refresh()


def _known(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    if key not in record:
        raise InvalidValue(
            "the search's run has trials that another library proposed",
            hint="go on with the library that it began with, or begin a search of its own",
        )
    found: dict[str, Any] = record[key]
    return found
