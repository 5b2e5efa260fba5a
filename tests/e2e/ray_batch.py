"""A program of Ray that a test starts as a process of its own: ``python ray_batch.py FOLDER RAYS_FOLDER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(place: Path) -> None:
    """Predicts FOLDER/rows.parquet on a cluster of its own, of one node, and writes FOLDER/predicted.parquet."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled",
                   "RAY_agent_register_timeout_ms": "150000", "RAY_raylet_start_wait_time_s": "120"}
    import ray

    from millstream.inference.ray import predict

    for left in (2, 1, 0):
        try:
            # Ray ends a start by itself that takes long where others use the processors.
            ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False,
                     _temp_dir=sys.argv[2])
            break
        except Exception:
            ray.shutdown()
            if not left:
                raise
    rows = ray.data.read_parquet(str(place / "rows.parquet")).repartition(4)
    predicted = predict(rows, place / "model", keep=["id"], params={"factor": 2.0}, batch_size=100)
    predicted.to_pandas().sort_values("id").to_parquet(place / "predicted.parquet")
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
