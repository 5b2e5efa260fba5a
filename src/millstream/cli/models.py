"""``millstream models``: saved and logged models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from millstream.cli.output import say, show_json, show_table, with_json, with_tracking_uri


@click.group()
def models() -> None:
    """Look at models, and look after their requirements and their trust."""


@models.command()
@click.argument("uri")
@with_json
@with_tracking_uri
def describe(uri: str, as_json: bool, tracking_uri: str | None) -> None:
    """Show what a model says of itself: its flavors, signature, metadata and requirements.

    URI is a folder, models:/…, runs:/<run id>/<name>, or an address of files. Nothing of the model is loaded.
    """
    from millstream.flavors import changing, isolated
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    info = changing.get_model_info(uri)
    try:
        with open(isolated.get_model_dependencies(uri), encoding="utf-8") as stream:
            requirements = stream.read().split("\n")
    except LookupError:
        requirements = []
    facts: dict[str, Any] = {
        "model_uri": info.model_uri, "model_id": info.model_id, "run_id": info.run_id, "flavors": info.flavors,
        "signature": info.signature_dict, "metadata": info.metadata, "created": info.utc_time_created,
        "requirements": [line for line in requirements if line],
    }
    if as_json:
        show_json(facts)
        return
    signature = info.signature
    rows = [
        ["Model", info.model_id or info.model_uuid], ["Run", info.run_id or ""],
        ["Created", f"{info.utc_time_created} UTC"], *_lines("Flavors", sorted(info.flavors)),
        *_lines("Inputs", signature.inputs if signature else None),
        *_lines("Outputs", signature.outputs if signature else None),
        *_lines("Params", signature.params if signature else None), *_lines("Requirements", facts["requirements"]),
    ]
    show_table(["Fact", "Value"], [row for row in rows if row[1]])


def _lines(fact: str, values: Iterable[Any] | None) -> list[list[str]]:
    """A row for each value, the first of which names the fact."""
    return [["" if index else fact, str(value)] for index, value in enumerate(values or ())]


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def seal(folder: str) -> None:
    """Say that the files of the model in FOLDER are as they should be, and that you trust who made them.

    Its manifest is written anew with your seal, so that its pickles are loaded when you load it.
    """
    from millstream.flavors import changing

    changing.seal(folder)
    say(f"sealed {folder}")


@models.command("update-pip-requirements")
@click.option("--model-uri", "-m", required=True, help="The model: a folder, models:/…, runs:/…")
@click.argument("operation", type=click.Choice(["add", "remove"]))
@click.argument("requirements", nargs=-1, required=True)
@with_tracking_uri
def update_pip_requirements(
    model_uri: str, operation: str, requirements: tuple[str, ...], tracking_uri: str | None
) -> None:
    """Add requirements to those that a model is saved with, or remove some by their names."""
    from millstream.flavors import isolated
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    isolated.update_model_requirements(model_uri, operation, list(requirements))
    say(f"{'added' if operation == 'add' else 'removed'} {', '.join(requirements)}")
