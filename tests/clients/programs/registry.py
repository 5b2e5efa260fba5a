"""Registered models: created, versioned, staged, aliased (clients since 2.3), tagged, searched, renamed, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version


def main() -> None:
    report = Report()
    client = MlflowClient()
    release = version(mlflow.__version__)
    name = f"{report.token} loan"
    experiment = mlflow.create_experiment(f"{report.token} registry")
    mlflow.set_experiment(f"{report.token} registry")

    def tags_of(entity: Any) -> dict[str, str]:
        return dict(entity.tags)

    def shown(found: Any) -> dict[str, object]:
        return {
            "name": found.name,
            "version": str(found.version),
            "stage": found.current_stage,
            "source": str(found.source).replace(f"/{experiment}/", "/<experiment>/"),
            "run": found.run_id,
            "link": found.run_link,
            "description": found.description,
            "status": found.status,
            "tags": tags_of(found),
            "times": 10**12 < found.creation_timestamp <= found.last_updated_timestamp,
        }

    def model(found: Any) -> dict[str, object]:
        return {
            "name": found.name,
            "description": found.description,
            "tags": tags_of(found),
            "latest": [[one.version, one.current_stage] for one in found.latest_versions],
            "times": 10**12 < found.creation_timestamp <= found.last_updated_timestamp,
        }

    report.keep("created", model(client.create_registered_model(name, {"team": "risk"}, "who may borrow")))
    report.refused("created twice", client.create_registered_model, name)
    for wrong in ("", "  ", "a/b", "a:b", ".."):
        report.refused(f"created as {wrong!r}", client.create_registered_model, wrong)

    Path("MLmodel").write_text("flavors: {}\nartifact_path: model\n", encoding="utf-8")
    Path("weights.txt").write_text("1 2 3\n", encoding="utf-8")
    with mlflow.start_run() as run:
        run_id = report.name(run.info.run_id, "run")
        for file in ("MLmodel", "weights.txt"):
            mlflow.log_artifact(file, "model")
    with mlflow.start_run() as other:
        other_id = report.name(other.info.run_id, "other run")
    root = run.info.artifact_uri
    made = client.create_model_version(name, f"{root}/model", run_id, {"k": "v"}, "http://x/y", "the first")
    report.keep("first", shown(made))
    report.keep("second", shown(client.create_model_version(name, f"runs:/{run_id}/model", run_id)))
    report.keep("third", shown(client.create_model_version(name, "s3://bucket/somewhere")))
    for source, of in (
        (f"{root}/model", other_id),
        (f"{root}/model", None),
        (f"{root}/../model", run_id),
        (f"{root}/%2e%2e/model", run_id),
        ("/etc/passwd", run_id),
        ("file:///etc/passwd", None),
        ("http://somewhere/x", None),
        ("ftp://somewhere/x", None),
        ("mlflow-artifacts:/0/x", None),
        ("runs:/" + "0" * 32 + "/model", None),
        ("s3://bucket/../x", None),
    ):
        shown_source = source.replace(f"/{experiment}/", "/<experiment>/")
        report.refused(f"from {shown_source} of {of}", client.create_model_version, name, source, of)
    absent = f"{report.token} no"
    report.refused("version of an absent model", client.create_model_version, absent, f"{root}/model", run_id)

    report.keep("got", shown(client.get_model_version(name, "1")))
    report.keep("got model", model(client.get_registered_model(name)))
    report.refused("absent version", client.get_model_version, name, "99")
    report.refused("absent model", client.get_registered_model, f"{report.token} no")
    report.keep("stages", client.get_model_version_stages(name, "1"))
    for number in ("1", "3"):
        place = client.get_model_version_download_uri(name, number)
        report.keep(f"place of {number}", place.replace(f"/{experiment}/", "/<experiment>/"))

    # Stages
    moved = client.transition_model_version_stage(name, "1", "Production")
    report.keep("moved", shown(moved))
    report.keep("moved in small letters", shown(client.transition_model_version_stage(name, 2, "staging")))
    report.keep("latest", [[one.version, one.current_stage] for one in client.get_latest_versions(name)])
    moved = client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    report.keep("moved with archiving", shown(moved))
    report.keep("archived", shown(client.get_model_version(name, "1")))
    latest = client.get_latest_versions(name, ["Production", "Archived", "Staging"])
    report.keep("latest of some", [[one.version, one.current_stage] for one in latest])
    report.refused("no stage", client.transition_model_version_stage, name, "1", "Nowhere")
    report.refused("no version to move", client.transition_model_version_stage, name, "99", "Staging")
    report.refused("latest of no stage", client.get_latest_versions, name, ["Nowhere"])

    # Files
    for uri in (f"models:/{name}/1", f"models:/{name}/Production", f"models:/{name}/2/weights.txt"):
        if release >= (2, 0) or "/2/" not in uri:
            place = Path(mlflow.artifacts.download_artifacts(uri))
            names = sorted(item.name for item in place.iterdir()) if place.is_dir() else place.name
            report.keep(f"files at {uri}", names)

    # Aliases
    if release >= (2, 3):
        for alias, number in (("champion", "1"), ("challenger", "2"), ("champion", "2")):
            client.set_registered_model_alias(name, alias, number)
        report.keep("alias", shown(client.get_model_version_by_alias(name, "champion")))
        report.keep("aliases", dict(client.get_registered_model(name).aliases))
        report.keep("aliases of a version", sorted(client.get_model_version(name, "2").aliases))
        for wrong in ("latest", "v1", "a b", "x" * 256):
            report.refused(f"alias {wrong[:10]}", client.set_registered_model_alias, name, wrong, "1")
        report.refused("alias of no version", client.set_registered_model_alias, name, "a", "99")
        report.refused("no alias", client.get_model_version_by_alias, name, "nobody")
        client.delete_registered_model_alias(name, "challenger")
        client.delete_registered_model_alias(name, "challenger")
        report.keep("one alias fewer", dict(client.get_registered_model(name).aliases))
        report.keep("files of an alias", Path(mlflow.artifacts.download_artifacts(f"models:/{name}@champion")).is_dir())
        copied = client.copy_model_version(f"models:/{name}/1", f"{report.token} copy")
        report.keep("copied", shown(copied))
        place = client.get_model_version_download_uri(f"{report.token} copy", 1)
        report.keep("place of the copy", place.replace(f"/{experiment}/", "/<experiment>/"))

    # Tags and descriptions
    client.set_registered_model_tag(name, "team", "credit")
    client.set_registered_model_tag(name, "number", 5)
    client.delete_registered_model_tag(name, "absent")
    client.set_model_version_tag(name, "1", "color", "red")
    client.set_model_version_tag(name, "1", "gone", "soon")
    client.delete_model_version_tag(name, "1", "gone")
    client.delete_model_version_tag(name, "1", "gone")
    for key in ("", "a#b", "x" * 251):
        report.refused(f"tag {key[:10]}", client.set_registered_model_tag, name, key, "v")
    report.refused("tag of no version", client.set_model_version_tag, name, "99", "k", "v")
    report.keep("described", shown(client.update_model_version(name, "1", "better")))
    report.keep("model described", model(client.update_registered_model(name, "for whom")))
    report.refused("no version to describe", client.update_model_version, name, "99", "x")

    # Searches
    for index in range(4):
        client.create_registered_model(f"{report.token} many {index}", {"parity": "odd" if index % 2 else "even"})
    mine = f"name LIKE '{report.token}%'"
    for clause in (
        mine,
        f"{mine} AND tags.parity = 'odd'",
        f"name ILIKE '{report.token.upper()} MANY%'",
        f"name = '{name}'",
        f"{mine} AND name != '{name}'",
        f"{mine} AND tags.parity != 'odd'",
    ):
        if release >= (2, 0) or " AND " not in clause:
            found = client.search_registered_models(clause)
            shown_clause = clause.replace(report.token.upper(), "<TOKEN>")
            report.keep(f"models with {shown_clause}", [one.name for one in found])
    for order in (["name DESC"], ["timestamp DESC"], ["last_updated_timestamp", "name DESC"]):
        found = client.search_registered_models(f"name LIKE '{report.token} many%'", order_by=order)
        report.keep(f"models by {order}", [one.name for one in found])
    pages, token = [], None
    while True:
        page = client.search_registered_models(f"name LIKE '{report.token} many%'", max_results=3, page_token=token)
        pages.append([one.name for one in page])
        token = page.token
        if not token:
            break
    report.keep("pages of models", pages)
    clauses = [f"name = '{name}'", f"run_id = '{run_id}'"]
    if release >= (2, 0):
        clauses += [
            f"name = '{name}' AND version_number > 1",
            f"name = '{name}' AND tags.color = 'red'",
            f"name = '{name}' AND source_path LIKE 's3:%'",
            f"run_id IN ('{run_id}', '{other_id}')",
        ]
    for clause in clauses:
        found = client.search_model_versions(clause)
        report.keep(f"versions with {clause}", sorted([one.name, str(one.version), one.current_stage] for one in found))
    if release >= (2, 0):
        for order in (["version_number"], ["name", "version_number DESC"], ["creation_timestamp DESC"]):
            found = client.search_model_versions(f"name = '{name}'", order_by=order)
            report.keep(f"versions by {order}", [str(one.version) for one in found])
        for wrong in ("nothing = 'a'", "name > 'a'", "version_number = 'x'", "name ="):
            report.refused(f"wrong for versions: {wrong}", client.search_model_versions, wrong)
            report.refused(f"wrong for models: {wrong}", client.search_registered_models, wrong)

    # From a run, by the function that most programs use
    if release < (3, 0):
        registered = mlflow.register_model(f"runs:/{run_id}/model", name)
        report.keep("registered", shown(registered))
        registered = mlflow.register_model(f"runs:/{run_id}/model", f"{report.token} new")
        report.keep("registered anew", shown(registered))
    else:
        logged = mlflow.initialize_logged_model("net", source_run_id=run_id)
        report.name(logged.model_id, "logged")
        client.log_model_artifact(logged.model_id, "MLmodel")
        mlflow.finalize_logged_model(logged.model_id, "READY")
        report.keep("registered", shown(mlflow.register_model(logged.model_uri, name, tags={"by": "id"})))
        report.keep("registered by run", shown(mlflow.register_model(f"runs:/{run_id}/model", f"{report.token} new")))
        report.keep("registered by name", shown(mlflow.register_model(f"runs:/{run_id}/net", f"{report.token} new")))
        report.keep("listed", sorted(one.path for one in mlflow.artifacts.list_artifacts(f"models:/{name}/4")))
        report.refused("registered from nowhere", mlflow.register_model, f"runs:/{run_id}/nothing", name)

    # The end
    client.delete_model_version(name, "3")
    report.refused("deleted version", client.get_model_version, name, "3")
    report.refused("deleted twice", client.delete_model_version, name, "3")
    report.keep("after a deletion", shown(client.create_model_version(name, "s3://bucket/again")))
    client.rename_registered_model(name, f"{name} 2")
    report.keep("renamed", model(client.get_registered_model(f"{name} 2")))
    report.refused("the old name", client.get_registered_model, name)
    found = client.search_model_versions(f"name = '{name} 2'")
    report.keep("versions are renamed", sorted(one.version for one in found))
    report.refused("renamed to a taken name", client.rename_registered_model, f"{name} 2", f"{report.token} new")
    client.delete_registered_model(f"{name} 2")
    report.refused("deleted", client.get_registered_model, f"{name} 2")
    report.refused("renamed from nowhere", client.rename_registered_model, f"{name} 2", "x")
    report.show()


if __name__ == "__main__":
    main()
