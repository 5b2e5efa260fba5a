"""Event files of TensorBoard, written without it.

A file holds TFRecords of ``Event`` messages
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto); tags and folders are those of
``keras.callbacks.TensorBoard``: ``train/`` and ``validation/`` with ``epoch_<metric>``.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Events:
    """Event files below ``folder``, one for training and one for validation, made with their first metric."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def log(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch."""
        parts: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            parts[part][f"epoch_{name.removeprefix('val_')}"] = float(value)
        for part, values in parts.items():
            if values:
                self._write(part, epoch, values)

    def close(self) -> None:
        """Write what is left, and close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _write(self, part: str, step: int, values: Mapping[str, float]) -> None:
        tf: Any = importlib.import_module("tensorflow")
        event = tf.compat.v1.Event
        writer = self._writers.get(part)
        if writer is None:
            folder = self.folder / part
            folder.mkdir(parents=True)
            name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.0.v2"
            writer = self._writers[part] = tf.io.TFRecordWriter(str(folder / name))
            first = event(wall_time=time.time(), file_version="brain.Event:2")
            writer.write(first.SerializeToString())
        scalars = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
        )
        told = tf.compat.v1.Summary(value=[
            tf.compat.v1.Summary.Value(tag=tag, metadata=scalars, tensor=tf.make_tensor_proto(value, tf.float32, ()))
            for tag, value in values.items()
        ])
        writer.write(event(wall_time=time.time(), step=step, summary=told).SerializeToString())
