"""``millstream webhooks``: who is told of what happens in the registry, what was sent, and sending what waits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.output import say, show_json, show_table, time_text, with_json
from millstream.cli.registry_options import registry_store, with_registry_uri
from millstream.errors import BadRequest, NotSupported

if TYPE_CHECKING:
    from millstream.entities.webhook import WebhookDelivery
    from millstream.operations import EventName, WebhookRecord

_PAGE = 1_000
_STATUS = click.Choice(["ACTIVE", "DISABLED", "TEST_MODE"], case_sensitive=False)
_FORMAT = click.Choice(["MLFLOW", "DATABRICKS"], case_sensitive=False)
_EVENT = ("-e", "--event", "events")
_EVENT_HELP = "An event: model_version.created, model_version.transitioned:Production, comment.*, *; repeatable."


def _from_environment(variable: str | None) -> str | None:
    """A secret, which has no place on a command line that everybody on the machine can read."""
    if variable is None:
        return None
    if variable not in os.environ:
        raise click.UsageError(f"the environment variable {variable} is not set")
    return os.environ[variable]


def _names(events: tuple[str, ...]) -> list[EventName | str]:
    from millstream.tracking.client.webhooks import event_names

    return event_names(events)


def _show(record: WebhookRecord, as_json: bool) -> None:
    if as_json:
        show_json(record)
    else:
        from millstream.tracking.client.webhooks import webhook_of

        print(webhook_of(record))


@click.group()
def webhooks() -> None:
    """Tell other programs what happens in the registry, and see what they answered."""


@webhooks.command()
@click.argument("name")
@click.argument("url")
@click.option(*_EVENT, multiple=True, required=True, help=_EVENT_HELP)
@click.option("--model", metavar="NAME", help="Only events of this registered model.")
@click.option("--description", help="A text about it.")
@click.option("--secret-from", metavar="VARIABLE", help="The environment variable with what calls are signed with.")
@click.option("--authorization-from", metavar="VARIABLE",
              help="The environment variable that holds the Authorization header, such as 'Bearer …'.")
@click.option("--status", type=_STATUS, default="ACTIVE", show_default=True, help="Whether it is told.")
@click.option("--format", "payload_format", type=_FORMAT, default="MLFLOW", show_default=True,
              help="Whose shape the body has.")
@click.option("--insecure", is_flag=True, help="Do not check the certificate of the receiver.")
@with_json
@with_registry_uri
def create(
    name: str, url: str, events: tuple[str, ...], model: str | None, description: str | None, secret_from: str | None,
    authorization_from: str | None, status: str, payload_format: str, insecure: bool, as_json: bool,
    registry_uri: str | None,
) -> None:
    """Subscribe an address to events."""
    from millstream.operations import CreateWebhook
    from millstream.tracking.stores import acting

    made = CreateWebhook(
        name, url, _names(events), description, _from_environment(secret_from), status, model, payload_format,
        _from_environment(authorization_from), not insecure,
    )
    with registry_store(registry_uri) as store:
        _show(store.execute(made, acting()).webhook, as_json)


@webhooks.command("list")
@with_json
@with_registry_uri
def list_(as_json: bool, registry_uri: str | None) -> None:
    """List all webhooks."""
    from millstream.operations import ListWebhooks
    from millstream.operations.paging import pages

    with registry_store(registry_uri) as store:
        asked = ListWebhooks(_PAGE, all_events=True)
        found = [webhook for page in pages(store.execute, asked) for webhook in page.webhooks]
    if as_json:
        show_json(found)
        return
    show_table(
        ["Id", "Name", "URL", "Events", "Model", "Status"],
        [
            [one.webhook_id, one.name, one.url, ", ".join(one.event_names), one.model_name or "all", one.status]
            for one in found
        ],
    )


@webhooks.command()
@click.argument("webhook_id")
@click.option("--name", help="Another name.")
@click.option("--url", help="Another address.")
@click.option(*_EVENT, multiple=True, help=_EVENT_HELP + " Those that there were are replaced.")
@click.option("--description", help="Another text about it.")
@click.option("--secret-from", metavar="VARIABLE", help="The environment variable with what calls are signed with.")
@click.option("--authorization-from", metavar="VARIABLE",
              help="The environment variable that holds the Authorization header.")
@click.option("--status", type=_STATUS, help="Whether it is told.")
@with_json
@with_registry_uri
def update(
    webhook_id: str, name: str | None, url: str | None, events: tuple[str, ...], description: str | None,
    secret_from: str | None, authorization_from: str | None, status: str | None, as_json: bool,
    registry_uri: str | None,
) -> None:
    """Change what is given of a webhook; an empty secret or authorization removes it."""
    from millstream.operations import UpdateWebhook
    from millstream.tracking.stores import acting

    made = UpdateWebhook(
        webhook_id, name, description, url, _names(events), _from_environment(secret_from), status, None,
        _from_environment(authorization_from),
    )
    with registry_store(registry_uri) as store:
        _show(store.execute(made, acting()).webhook, as_json)


@webhooks.command()
@click.argument("webhook_id")
@with_registry_uri
def delete(webhook_id: str, registry_uri: str | None) -> None:
    """Remove a webhook with the log of its deliveries."""
    from millstream.operations import DeleteWebhook
    from millstream.tracking.stores import acting

    with registry_store(registry_uri) as store:
        store.execute(DeleteWebhook(webhook_id), acting())
    print(f"Webhook {webhook_id} is deleted")


@webhooks.command()
@click.argument("webhook_id")
@click.option("-e", "--event", help="The event to send a sample of; the first of the webhook unless given.")
@with_json
@with_registry_uri
def test(webhook_id: str, event: str | None, as_json: bool, registry_uri: str | None) -> None:
    """Send a sample now, and show what the receiver answers."""
    from millstream.operations import TestWebhook

    with registry_store(registry_uri) as store:
        result = store.execute(TestWebhook(webhook_id, event)).result
    if as_json:
        show_json(result)
    elif result.response_status is not None:
        print(f"{result.response_status} {result.response_body or ''}".rstrip())
    if not result.success:
        raise BadRequest(result.error_message or "the receiver refused it", hint="look at the receiver's log")


@webhooks.command()
@click.option("--webhook", "webhook_id", metavar="ID", help="Only of this webhook.")
@click.option("--model", metavar="NAME", help="Only what is about this registered model.")
@click.option("--status", type=click.Choice(["PENDING", "DELIVERED", "FAILED"], case_sensitive=False),
              help="Only those with this status.")
@click.option("--max-results", type=click.IntRange(1, 1_000), default=100, show_default=True,
              help="How many to show at most.")
@with_json
@with_registry_uri
def deliveries(
    webhook_id: str | None, model: str | None, status: str | None, max_results: int, as_json: bool,
    registry_uri: str | None,
) -> None:
    """Show what was sent and what waits, the newest first."""
    from millstream.operations import ListWebhookDeliveries

    with registry_store(registry_uri) as store:
        found = store.execute(ListWebhookDeliveries(webhook_id, model, status, max_results)).deliveries
    if as_json:
        show_json(found)
        return
    show_table(
        ["Id", "Time", "Event", "Model", "Status", "Tries", "Answer"],
        [
            [
                one.delivery_id, time_text(one.creation_timestamp), one.event, one.model_name, one.status, one.tries,
                _answer(one),
            ]
            for one in found
        ],
        right=["Tries"],
    )


def _answer(delivery: WebhookDelivery) -> str:
    said = str(delivery.answer_status) if delivery.answer_status is not None else delivery.error or ""
    if delivery.status == "PENDING" and delivery.tries:
        return f"{said}; again at {time_text(delivery.next_try_time)}"
    return said


@webhooks.command()
@click.argument("delivery_id", required=False)
@click.option("--failed-of", metavar="WEBHOOK", help="All deliveries of this webhook that were given up.")
@with_registry_uri
def replay(delivery_id: str | None, failed_of: str | None, registry_uri: str | None) -> None:
    """Send a delivery once more, or all of a webhook that were given up."""
    from millstream.operations import ReplayFailedDeliveries, ReplayWebhookDelivery
    from millstream.tracking.stores import acting

    if (delivery_id is None) == (failed_of is None):
        raise click.UsageError("name either a delivery or --failed-of a webhook")
    with registry_store(registry_uri) as store:
        if delivery_id is not None:
            again = store.execute(ReplayWebhookDelivery(delivery_id), acting()).delivery
            print(f"Delivery {again.delivery_id} waits to be sent")
        else:
            count = store.execute(ReplayFailedDeliveries(str(failed_of)), acting()).replayed
            print(f"{count} {'delivery waits' if count == 1 else 'deliveries wait'} to be sent")


@webhooks.command()
@with_registry_uri
def deliver(registry_uri: str | None) -> None:
    """Send what is due, once: for a store that no server serves.

    A tracking server does this all the time for the store that it serves.
    """
    from millstream.server.webhooks import deliver_due

    with registry_store(registry_uri) as store:
        outbox: Any = getattr(store, "outbox", None)
        if outbox is None:
            raise NotSupported("the server at this address sends what its store holds",
                               hint="see `millstream webhooks deliveries`")
        calls = deliver_due(outbox)
    made = "1 call was made" if calls == 1 else f"{calls} calls were made"
    say(f"{made}; `millstream webhooks deliveries` shows the answers")
