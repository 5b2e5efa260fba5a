"""Microsoft's emulator of Azure Blob Storage, from npm into ``.cache``; there only where npm is."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

from tests.servers import keeper
from tests.servers.processes import Process, free_port, listens, wait_until

VERSION = "3.35.0"
# The account that every emulator has, published by Microsoft.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
PLACE = Path(__file__).resolve().parents[2] / ".cache" / f"azurite-{VERSION}"


def program() -> Path | None:
    """The emulator, installed now if it was not yet; None on a machine without npm."""
    found = PLACE / "node_modules" / ".bin" / "azurite-blob"
    npm = shutil.which("npm")
    with keeper.locked("azurite"):
        if not found.exists() and npm is not None:
            PLACE.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--prefix", str(PLACE), f"azurite@{VERSION}"],
                check=True, capture_output=True,
            )
    return found if found.exists() else None


@contextlib.contextmanager
def running(place: Path, command: Path) -> Iterator[str]:
    """The address of the emulator's account, its data in memory, its log in ``place``."""
    port = free_port()
    words = [str(command), "--blobPort", str(port), "--silent", "--skipApiVersionCheck",
             "--disableProductStyleUrl", "--inMemoryPersistence", "--disableTelemetry"]
    with Process(words, log=place / "azurite.log", cwd=place) as process:
        wait_until(lambda: listens(port), 60, "azurite", process)
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def connection_string(endpoint: str) -> str:
    """What AZURE_STORAGE_CONNECTION_STRING holds for the account at this address."""
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"


def create_container(endpoint: str, name: str) -> None:
    """Make an empty container, with a request signed as Azure's "Authorize with Shared Key" says."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    signed = "\n".join(["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in sorted(headers.items())),
                        f"/{ACCOUNT}/{ACCOUNT}/{name}", "restype:container"])
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    request = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201
