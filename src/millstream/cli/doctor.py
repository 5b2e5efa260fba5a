"""``millstream doctor``: what is installed, set, reachable and waiting, and what to do about it."""

from __future__ import annotations

import sys

import click

from millstream.cli.output import say, show_json, show_table, with_json

_COMPATIBILITY = "millstream-mlflow"  # the distribution in compat/mlflow


@click.command()
@click.option("--mask-envs", is_flag=True, help="Hide the values of environment variables.")
@with_json
def doctor(mask_envs: bool, as_json: bool) -> None:
    """Look at this installation: versions, settings, the store, the outbox, and what is amiss.

    Status 1 says that something is.
    """
    from millstream.tracking.doctor import facts

    advice: list[str] = []
    sections: dict[str, dict[str, str]] = {"": {}}
    for name, value in facts(mask_envs):
        if value is None:
            sections[name] = {}
        else:
            sections[list(sections)[-1] if name.startswith(" ") else ""][name.strip()] = value
    state = sections[""].get("Store", "")
    if state.startswith("does not answer"):
        advice.append(f"the store at {sections['']['Tracking URI']} {state}")
    sections["Outbox"] = _outbox(advice)
    _look_at_name(advice)
    if as_json:
        show_json({"facts": sections.pop(""), **{name.lower(): found for name, found in sections.items()},
                   "amiss": advice})
    else:
        for title, found in sections.items():
            if found:
                show_table([title, ""], list(found.items()))
                print()
        for line in advice:
            say(f"amiss: {line}")
        if not advice:
            say("all is well")
    if advice:
        sys.exit(1)


def _outbox(advice: list[str]) -> dict[str, str]:
    from millstream.tracking.outbox import outbox_directory, pending

    waiting = pending()
    left = [one for one in waiting if not one.live]
    entries = sum(one.entries for one in left)
    if entries:
        runs = len({one.run_id for one in left})
        advice.append(f"{entries:,} entries of {runs:,} run{'' if runs == 1 else 's'} were left behind by programs "
                      "that ended; send them with `millstream sync`")
    return {"folder": outbox_directory(), "being sent": f"{sum(one.entries for one in waiting if one.live):,} entries",
            "left behind": f"{entries:,} entries"}


def _look_at_name(advice: list[str]) -> None:
    """Two distributions that both claim the name mlflow overwrite each other's files."""
    from importlib import metadata

    claims = set(metadata.packages_distributions().get("mlflow", ()))
    others = sorted(claims - {_COMPATIBILITY})
    if _COMPATIBILITY in claims and others:
        advice.append(
            f"{' and '.join([_COMPATIBILITY, *others])} are all installed as `mlflow` and have overwritten each "
            f"other's files; run `pip uninstall -y {' '.join([_COMPATIBILITY, *others])}`, then install the one that "
            "`import mlflow` should mean"
        )
