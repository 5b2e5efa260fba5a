"""The official client signs the calls of a file by itself: their signatures, in the order of the file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mlflow.webhooks import constants
from mlflow.webhooks.delivery import _generate_hmac_signature

if __name__ == "__main__":
    names = (constants.WEBHOOK_DELIVERY_ID_HEADER.lower(), constants.WEBHOOK_TIMESTAMP_HEADER.lower())
    calls = json.loads(Path(os.environ["RECEIVER_CALLS"]).read_text(encoding="utf-8"))
    secret = os.environ["RECEIVER_SECRET"]
    signed = [
        _generate_hmac_signature(secret, *(call["headers"][name] for name in names), call["body"]) for call in calls
    ]
    document = {"header": constants.WEBHOOK_SIGNATURE_HEADER.lower(), "signatures": signed}
    Path(sys.argv[1]).write_text(json.dumps(document), encoding="utf-8")
