"""``millstream registry``: registered models, who holds which stage, and what has happened."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from millstream.cli import approvals
from millstream.cli.output import say, show_json, show_table, time_text, with_json
from millstream.cli.registry_options import carry_out, one_of, registry_store, with_holder, with_registry_uri
from millstream.errors import IntegrityError

if TYPE_CHECKING:
    from millstream.entities.model_registry import ModelVersion, RegisteredModel, RegistryActivity

_PAGE = 1_000


@click.group()
def registry() -> None:
    """Find registered models, promote and roll back versions, ask and approve, read their history."""


for _command in approvals.COMMANDS:
    registry.add_command(_command)


@registry.command("list")
@click.option("--filter", "filter_string", metavar="TEXT", help="A filter such as \"name LIKE 'loan%'\".")
@with_json
@with_registry_uri
def list_(filter_string: str | None, as_json: bool, registry_uri: str | None) -> None:
    """List registered models with the latest version of each stage."""
    from millstream.operations import SearchRegisteredModels
    from millstream.operations.paging import pages

    with registry_store(registry_uri) as store:
        asked = SearchRegisteredModels(filter_string, _PAGE)
        found = [model for page in pages(store.execute, asked) for model in page.registered_models]
    if as_json:
        show_json([_facts(model) for model in found])
        return
    show_table(
        ["Name", "Latest Versions", "Aliases", "Changed"],
        [[model.name, _latest(model), _aliases(model), time_text(model.last_updated_timestamp)] for model in found],
    )


def _latest(model: RegisteredModel) -> str:
    return ", ".join(f"{version.current_stage} {version.version}" for version in model.latest_versions)


def _aliases(model: RegisteredModel) -> str:
    return ", ".join(f"{alias} {version}" for alias, version in model.aliases.items())


def _facts(entity: RegisteredModel | ModelVersion) -> dict[str, Any]:
    facts = dict(entity)
    if "latest_versions" in facts:
        facts["latest_versions"] = [dict(version) for version in facts["latest_versions"]]
    return {name: value for name, value in facts.items() if value is not None}


@registry.command()
@click.argument("name")
@click.argument("version", required=False)
@with_json
@with_registry_uri
def describe(name: str, version: str | None, as_json: bool, registry_uri: str | None) -> None:
    """Show a registered model with its versions, or one version."""
    from millstream.operations import GetModelVersion, GetRegisteredModel, SearchModelVersions
    from millstream.search.text import to_text
    from millstream.search.tree import Comparison, Field

    with registry_store(registry_uri) as store:
        if version is not None:
            one = store.execute(GetModelVersion(name, version)).model_version
            if as_json:
                show_json(_facts(one))
            else:
                print(one)
            return
        model = store.execute(GetRegisteredModel(name)).registered_model
        of_model = to_text(Comparison(Field("attribute", "name"), "=", name))
        versions = store.execute(SearchModelVersions(of_model, _PAGE, ["version_number DESC"])).model_versions
    if as_json:
        show_json({**_facts(model), "versions": [_facts(one) for one in versions]})
        return
    print(model)
    show_table(
        ["Version", "Stage", "Aliases", "Created", "Source"],
        [
            [one.version, one.current_stage, ", ".join(one.aliases), time_text(one.creation_timestamp), one.source]
            for one in versions
        ],
        right=["Version"],
    )


@registry.command()
@click.argument("name")
@click.argument("version")
@with_holder
@click.option("--keep-others", is_flag=True, help="Leave the versions that are in the stage; they are archived unless "
              "this is given.")
@with_registry_uri
def promote(
    name: str, version: str, stage: str | None, alias: str | None, keep_others: bool, registry_uri: str | None
) -> None:
    """Move a version to a stage, or let an alias stand for it."""
    from millstream.operations import SetRegisteredModelAlias, TransitionModelVersionStage

    what = one_of(stage, alias)
    with registry_store(registry_uri) as store:
        if alias is not None:
            carry_out(store, SetRegisteredModelAlias(name, alias, version))
        else:
            archive = not keep_others and str(stage) in ("Staging", "Production")
            carry_out(store, TransitionModelVersionStage(name, version, str(stage), archive))
    print(f"Version {version} of {name} holds {what}")


@registry.command()
@click.argument("name")
@with_holder
@with_registry_uri
def rollback(name: str, stage: str | None, alias: str | None, registry_uri: str | None) -> None:
    """Take back the last change of who holds a stage or an alias; done again, the change before that."""
    from millstream.operations import RollBack

    what = one_of(stage, alias)
    with registry_store(registry_uri) as store:
        held = carry_out(store, RollBack(name, stage, alias)).versions
    print(_held(name, what, held))


def _held(name: str, what: str, versions: list[str], when: str = "") -> str:
    when = when and f" at {when}"
    if not versions:
        return f"No version of {name} holds {what}{when}"
    word, verb = ("Version", "holds") if len(versions) == 1 else ("Versions", "hold")
    return f"{word} {', '.join(versions)} of {name} {verb} {what}{when}"


@registry.command()
@click.argument("name")
@click.option("--version", help="Only what concerns this version.")
@with_holder
@click.option("--at", "moment", metavar="TIME", help="Tell who held a stage or an alias at this time, such as "
              "2026-05-01 or 2026-05-01T12:30 (UTC).")
@click.option("--verify", is_flag=True, help="Check that nothing was changed or left out since it was written.")
@click.option("--max-results", type=click.IntRange(1, 10_000), default=100, show_default=True,
              help="How many to show at most.")
@with_json
@with_registry_uri
def history(
    name: str, version: str | None, stage: str | None, alias: str | None, moment: str | None, verify: bool,
    max_results: int, as_json: bool, registry_uri: str | None,
) -> None:
    """Show what has happened to a registered model, the newest first."""
    from millstream.operations import GetHolders, ListRegistryActivities, VerifyRegistryActivities

    time = None if moment is None else _milliseconds(moment)
    with registry_store(registry_uri) as store:
        if verify:
            checked = store.execute(VerifyRegistryActivities(name))
            if not checked.intact:
                raise IntegrityError(f"the history of {name} is not what was written: {checked.reason}",
                                     hint="somebody has been at the tables; compare them with a backup")
            say(f"all {checked.checked} activities of {name} are as they were written")
            return
        if time is not None or stage is not None or alias is not None:
            what = one_of(stage, alias)
            held = store.execute(GetHolders(name, stage, alias, time)).versions
            if as_json:
                show_json(held)
            else:
                print(_held(name, what, held, "" if time is None else time_text(time)))
            return
        found = store.execute(ListRegistryActivities(name, version, max_results)).activities
    if as_json:
        show_json(found)
        return
    show_table(
        ["When", "Who", "What", "Version", "From", "To", "Others", "Comment"],
        [
            [time_text(one.timestamp), one.user_id, _kind(one), one.version, one.before, one.after,
             ", ".join(one.others), one.comment]
            for one in found
        ],
    )


def _kind(activity: RegistryActivity) -> str:
    what = activity.kind.replace("_", " ").replace(".", " ")
    key = f" {activity.key}" if activity.key and activity.kind != "model_version.deleted" else ""
    undoes = f", undoes {activity.undoes}" if activity.undoes is not None else ""
    return f"{activity.sequence}: {what}{key}{undoes}"


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time; write it like 2026-05-01T12:30") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000)
