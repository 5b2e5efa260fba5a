"""Commands of ``millstream registry`` for what is said and decided: comments, transition requests, rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from millstream.cli.output import say, show_json, show_table, time_text, with_json
from millstream.cli.registry_options import (
    STAGES,
    carry_out,
    one_of,
    registry_store,
    with_holder,
    with_registry_uri,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from millstream.entities.approval import ModelRule, TransitionActivity

_PAGE = 1_000
_KINDS = click.Choice(["metric", "signature", "evaluation", "approvals", "description", "tag"])


def _with_comment(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--comment", metavar="TEXT", help="What you say to it.")(command)


@click.command()
@click.argument("name")
@click.argument("version")
@click.argument("text")
@with_registry_uri
def comment(name: str, version: str, text: str, registry_uri: str | None) -> None:
    """Say something about a version."""
    from millstream.operations import CreateComment

    with registry_store(registry_uri) as store:
        made = carry_out(store, CreateComment(name, version, text)).comment
    print(made.id)


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--max-results", type=click.IntRange(1, 1_000), default=100, show_default=True,
              help="How many to show at most.")
@with_json
@with_registry_uri
def comments(name: str, version: str | None, max_results: int, as_json: bool, registry_uri: str | None) -> None:
    """Show the comments on a version, or on all versions, the newest first."""
    from millstream.operations import ListComments

    with registry_store(registry_uri) as store:
        found = carry_out(store, ListComments(name, version, max_results)).comments
    if as_json:
        show_json(found)
        return
    show_table(
        ["When", "Who", "Version", "Comment", "Id"],
        [[time_text(one.last_updated_timestamp), one.user_id, one.version, one.comment, one.id] for one in found],
    )


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--stage", type=STAGES, required=True, help="The stage that the version is to move to.")
@_with_comment
@with_registry_uri
def request(name: str, version: str, stage: str, comment: str | None, registry_uri: str | None) -> None:
    """Ask that a version move to a stage."""
    from millstream.operations import CreateTransitionRequest

    with registry_store(registry_uri) as store:
        carry_out(store, CreateTransitionRequest(name, version, stage, comment))
    print(f"Asked that version {version} of {name} move to {stage}")


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--all", "everything", is_flag=True, help="Those that are decided, too.")
@with_json
@with_registry_uri
def requests(name: str, version: str | None, everything: bool, as_json: bool, registry_uri: str | None) -> None:
    """Show what is asked for the versions of a model, the newest first."""
    from millstream.operations import SearchTransitionRequests

    asked = SearchTransitionRequests(name, version, None if everything else "OPEN", _PAGE)
    with registry_store(registry_uri) as store:
        found = carry_out(store, asked).requests
    if as_json:
        show_json(found)
        return
    show_table(
        ["When", "Who", "Version", "From", "To", "State", "Approved By", "Decided By", "Comment", "Reason"],
        [
            [time_text(one.creation_timestamp), one.user_id, one.version, one.from_stage, one.to_stage, one.state,
             ", ".join(one.approved_by), one.decided_by, one.comment, one.reason]
            for one in found
        ],
    )


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--stage", type=STAGES, required=True, help="The stage that was asked for.")
@click.option("--keep-others", is_flag=True, help="Leave the versions that are in the stage; they are archived unless "
              "this is given.")
@_with_comment
@with_registry_uri
def approve(
    name: str, version: str, stage: str, keep_others: bool, comment: str | None, registry_uri: str | None
) -> None:
    """Approve what is asked for a version and a stage, and carry it out."""
    from millstream.operations import ApproveTransitionRequest

    archive = not keep_others and stage in ("Staging", "Production")
    with registry_store(registry_uri) as store:
        done = carry_out(store, ApproveTransitionRequest(name, version, stage, archive, comment)).activity
    if done.system_comment:
        say(done.system_comment)
    print(f"Approved that version {version} of {name} moves to {stage}" if done.system_comment else
          f"Version {version} of {name} holds the stage {stage}")


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--stage", type=STAGES, required=True, help="The stage that was asked for.")
@_with_comment
@with_registry_uri
def reject(name: str, version: str, stage: str, comment: str | None, registry_uri: str | None) -> None:
    """Reject what is asked for a version and a stage; the comment is kept as the reason."""
    from millstream.operations import RejectTransitionRequest

    with registry_store(registry_uri) as store:
        _ended(carry_out(store, RejectTransitionRequest(name, version, stage, comment)).activity, name, version)


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--stage", type=STAGES, required=True, help="The stage that you asked for.")
@_with_comment
@with_registry_uri
def withdraw(name: str, version: str, stage: str, comment: str | None, registry_uri: str | None) -> None:
    """Withdraw what you asked for a version and a stage."""
    from millstream.operations import DeleteTransitionRequest

    asked = DeleteTransitionRequest(name, version, stage, comment=comment)
    with registry_store(registry_uri) as store:
        _ended(carry_out(store, asked).activity, name, version)


def _ended(activity: TransitionActivity, name: str, version: str) -> None:
    word = "Rejected" if activity.activity_type == "REJECTED_REQUEST" else "Withdrawn"
    print(f"{word}: version {version} of {name} stays in {activity.from_stage}")


@click.group()
def rules() -> None:
    """What a version must meet before it gets a stage or an alias."""


@rules.command("set")
@click.argument("name")
@click.argument("rule")
@click.option("--kind", type=_KINDS, required=True, help="What is asked.")
@click.option("--stage", "stages", type=STAGES, multiple=True, help="A stage that it holds for.")
@click.option("--alias", "aliases", multiple=True, help="An alias that it holds for.")
@click.option("--metric", metavar="KEY", help="The metric of the version's logged model, or of its run.")
@click.option("--threshold", type=float, help="The worst value that passes.")
@click.option("--min-absolute-change", type=float, help="How much better than the version that is there now.")
@click.option("--min-relative-change", type=float, help="The same, as a share of that version's value.")
@click.option("--lower-is-better", is_flag=True, help="The metric is to fall.")
@click.option("--dataset", metavar="NAME", help="The dataset that it must be measured on.")
@click.option("--approvals", type=int, default=1, show_default=True, help="How many others must approve.")
@click.option("--tag", metavar="KEY", help="The tag that the version must have.")
@click.option("--tag-value", metavar="VALUE", help="The value that it must have.")
@with_registry_uri
def set_(
    name: str, rule: str, kind: str, stages: tuple[str, ...], aliases: tuple[str, ...], metric: str | None,
    threshold: float | None, min_absolute_change: float | None, min_relative_change: float | None,
    lower_is_better: bool, dataset: str | None, approvals: int, tag: str | None, tag_value: str | None,
    registry_uri: str | None,
) -> None:
    """Give a model a rule, or another in the place of the one with the same name."""
    from millstream.entities.approval import ModelRule
    from millstream.operations import SetModelRule

    made = ModelRule(
        rule, kind, list(stages), list(aliases), metric, not lower_is_better, threshold, min_absolute_change,
        min_relative_change, dataset, approvals, tag, tag_value,
    )
    with registry_store(registry_uri) as store:
        carry_out(store, SetModelRule(name, made))
    print(f"Rule {rule} of {name}: {_asks(made)}")


@rules.command("list")
@click.argument("name")
@with_json
@with_registry_uri
def list_(name: str, as_json: bool, registry_uri: str | None) -> None:
    """Show the rules of a model."""
    from millstream.operations import ListModelRules

    with registry_store(registry_uri) as store:
        found = carry_out(store, ListModelRules(name)).rules
    if as_json:
        show_json(found)
        return
    show_table(
        ["Rule", "Kind", "Stages", "Aliases", "Asks"],
        [[one.name, one.kind, ", ".join(one.stages), ", ".join(one.aliases), _asks(one)] for one in found],
    )


def _asks(rule: ModelRule) -> str:
    """What a rule asks, in a few words."""
    if rule.kind == "approvals":
        return f"{rule.approvals} by others"
    if rule.kind == "tag":
        return f"{rule.tag}" if rule.tag_value is None else f"{rule.tag} = {rule.tag_value}"
    where = f" on {rule.dataset}" if rule.dataset else ""
    if rule.kind != "metric":
        return rule.kind + where
    sign, more = ("≥", "+") if rule.greater_is_better else ("≤", "-")
    bounds = [] if rule.threshold is None else [f"{rule.threshold:g}"]
    bounds += [] if rule.min_absolute_change is None else [f"holder {more} {rule.min_absolute_change:g}"]
    bounds += [] if rule.min_relative_change is None else [f"holder {more} {rule.min_relative_change:.4g} of it"]
    return f"{rule.metric}{where} {sign} {' and '.join(bounds) or 'holder'}"


@rules.command()
@click.argument("name")
@click.argument("rule")
@with_registry_uri
def delete(name: str, rule: str, registry_uri: str | None) -> None:
    """Remove a rule, if it is there."""
    from millstream.operations import DeleteModelRule

    with registry_store(registry_uri) as store:
        carry_out(store, DeleteModelRule(name, rule))


@click.command()
@click.argument("name")
@click.argument("version")
@with_holder
@with_json
@with_registry_uri
def check(
    name: str, version: str, stage: str | None, alias: str | None, as_json: bool, registry_uri: str | None
) -> None:
    """Tell how a version stands to each rule for a stage or an alias; exit with 1 when one is not met."""
    from millstream.operations import CheckTransition

    what = one_of(stage, alias)
    with registry_store(registry_uri) as store:
        found = carry_out(store, CheckTransition(name, version, stage, alias))
    if as_json:
        show_json(found)
    elif not found.verdicts:
        print(f"{name} has no rules for {what}")
    else:
        show_table(
            ["Rule", "Kind", "Met", "Why"],
            [[one.rule, one.kind, "yes" if one.met else "no", one.reason] for one in found.verdicts],
        )
    if not found.allowed:
        raise SystemExit(1)


COMMANDS: tuple[click.Command, ...] = (comment, comments, request, requests, approve, reject, withdraw, rules, check)
