"""A server with something worth stealing beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.wire import call

SECRET = "the secret outside of every root"


class Target(NamedTuple):
    """A server, a run and a logged model in it, and the folder around everything."""

    address: str
    run_id: str
    model_id: str
    place: Path

    def outside(self) -> dict[str, bytes]:
        """Every file that the server must neither show nor change, the store's own apart."""
        return {
            str(path.relative_to(self.place)): path.read_bytes()
            for path in sorted(self.place.rglob("*"))
            if path.is_file()
            and "artifacts" not in path.relative_to(self.place).parts
            and not path.name.startswith("store.db")
        }


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    place = tmp_path_factory.mktemp("target")
    (place / "secret.txt").write_text(SECRET)
    (place / "neighbour").mkdir()
    (place / "neighbour" / "secret.txt").write_text(SECRET)
    (place / "artifacts-neighbour").mkdir()
    (place / "artifacts-neighbour" / "secret.txt").write_text(SECRET)
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        run = call(address, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}).json()["run"]["info"]
        model = call(address, "POST", "/api/2.0/mlflow/logged-models", {"experiment_id": "0", "name": "m"}).json()[
            "model"
        ]["info"]
        files = "/api/2.0/mlflow-artifacts/artifacts"
        for root in (f"0/{run['run_id']}/artifacts", f"0/models/{model['model_id']}/artifacts"):
            assert call(address, "PUT", f"{files}/{root}/inside/file.txt", b"inside").status == 200
        # Links that somebody with an account on the machine has put there.
        (place / "artifacts" / "0" / run["run_id"] / "artifacts" / "link").symlink_to(place)
        (place / "artifacts" / "0" / run["run_id"] / "artifacts" / "link.txt").symlink_to(place / "secret.txt")
        yield Target(address, run["run_id"], model["model_id"], place)
