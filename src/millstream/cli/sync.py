"""``millstream sync``: what waits in the outbox is sent."""

from __future__ import annotations

import sys

import click

from millstream.cli.output import say, show_json, show_table, time_text, with_json


@click.command()
@click.option("--tracking-uri", metavar="URI", help="Send only what is meant for this store.")
@click.option("--dry-run", is_flag=True, help="Only show what waits.")
@click.option("--discard-refused", is_flag=True, help="Forget what a store has refused, after showing it once more.")
@with_json
def sync(tracking_uri: str | None, dry_run: bool, discard_refused: bool, as_json: bool) -> None:
    """Send what dead processes and outages have left in the outbox.

    May be run at any time and any number of times: each entry ends up in its store once. Status 1 says that something
    was refused, or could not be sent yet.
    """
    if dry_run:
        _show_waiting(as_json)
        return
    from millstream.tracking.outbox import sync as send

    def progress(run_id: str, sent: int, waiting: int) -> None:
        if sys.stderr.isatty():
            say(f"run {run_id}: {sent:,} of {waiting:,} sent")

    report = send(tracking_uri, progress=progress, discard_refused=discard_refused)
    if as_json:
        show_json(report)
    elif report.sent:
        show_table(["Run", "Store", "Metrics", "Params", "Tags", "Changes"], [
            [sent.run_id, sent.uri, sent.metrics, sent.params, sent.tags, sent.updates] for sent in report.sent
        ], right=["Metrics", "Params", "Tags", "Changes"])
    for refusal in report.refused:
        keys = f" ({', '.join(refusal.keys)})" if refusal.keys else ""
        say(f"refused: {refusal.entries:,} entries{keys} of run {refusal.run_id} by {refusal.uri}: {refusal.reason}")
        if refusal.hint:
            say(f"  hint: {refusal.hint}")
    for kept in report.kept:
        say(f"kept: {kept.entries:,} entries of run {kept.run_id} for {kept.uri}: {kept.reason}")
        if kept.hint:
            say(f"  hint: {kept.hint}")
    for damaged in report.damaged:
        say(f"damaged: {damaged.unreadable:,} bytes of run {damaged.run_id} cannot be read; the file is {damaged.path}")
    if report.live:
        say(f"{report.live} files belong to programs that still run; they send them themselves")
    if not (report.sent or report.refused or report.kept or report.damaged or report.live):
        say(f"nothing waits in {report.directory}")
    if report.refused or report.kept or report.damaged:
        sys.exit(1)


def _show_waiting(as_json: bool) -> None:
    from millstream.tracking.outbox import outbox_directory, pending

    waiting = pending()
    if as_json:
        show_json(waiting)
    elif waiting:
        show_table(["Run", "Store", "Entries", "Since", "State"], [
            [one.run_id, one.uri, one.entries, time_text(one.started), "being sent" if one.live else "left behind"]
            for one in waiting
        ], right=["Entries"])
    else:
        say(f"nothing waits in {outbox_directory()}")
