"""Neural networks as users of Keras write them, logged by themselves: the digits that come with scikit-learn."""

from __future__ import annotations

import json
from typing import Any

import keras
import mlflow
import mlflow.keras
import mlflow.pyfunc
import mlflow.tensorflow
import numpy as np
import tensorflow as tf
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_digits

from tests.clients.programs.report import Report
from tests.clients.programs.stored import keep_run


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    report = Report()
    mlflow.set_experiment(f"{report.token} networks")
    everything(report)
    by_keras(report)
    by_tensorflow(report)
    by_hand(report)
    report.show()


def digits() -> tuple[Any, Any, Any, Any]:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")
    return images[:1500], labels[:1500], images[1500:], labels[1500:]


def classifier(optimizer: Any) -> Any:
    keras.utils.set_random_seed(42)
    model = keras.Sequential([
        keras.Input((64,), name="pixels"), keras.layers.Dense(32, activation="relu", name="hidden"),
        keras.layers.Dropout(0.1, name="dropout"), keras.layers.Dense(10, activation="softmax", name="digit"),
    ], name="digits")
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def everything(report: Report) -> None:
    X_train, y_train, X_test, y_test = digits()
    mlflow.autolog()
    model = classifier(keras.optimizers.Adam(learning_rate=0.01, name="adam"))
    with mlflow.start_run(run_name="digits") as run:
        model.fit(X_train, y_train, epochs=2, batch_size=100, validation_split=0.2, verbose=0)
        loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
        mlflow.log_metrics({"test_loss": loss, "test_accuracy": accuracy})
        lines: list[str] = []
        model.summary(print_fn=lambda line, line_break=True: lines.append(line))
        mlflow.log_text("\n".join(lines), "summary.txt")
        mlflow.log_dict(json.loads(model.to_json()), "network.json")
    mlflow.autolog(disable=True)
    run_id = run.info.run_id
    uri = keep_run(report, "digits", run_id)
    report.keep("digits predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X_test[:3]), 5).tolist())
    report.keep("digits loaded", type(mlflow.tensorflow.load_model(uri)).__name__)
    # What was logged by hand and by itself comes back.
    stored = mlflow.artifacts.load_dict(f"runs:/{run_id}/network.json")
    report.keep("digits layers", [layer["class_name"] for layer in stored["config"]["layers"]])
    summary = mlflow.artifacts.load_text(f"runs:/{run_id}/summary.txt")
    itself = mlflow.artifacts.load_text(f"runs:/{run_id}/model_summary.txt")
    report.keep("digits summary", itself.splitlines())
    # After the training, a summary also counts what the optimizer keeps.
    report.keep("digits summary by hand", summary.splitlines()[:12] == itself.splitlines()[:12])
    best = mlflow.artifacts.load_dict(f"runs:/{run_id}/checkpoints/latest_checkpoint_metrics.json")
    report.keep("digits best checkpoint", best)
    names = [file.path for file in MlflowClient().list_artifacts(run_id, "tensorboard_logs")]
    report.keep("digits tensorboard", sorted(names))


def by_keras(report: Report) -> None:
    X_train, y_train, X_test, y_test = digits()
    mlflow.keras.autolog(log_input_examples=True)
    model = classifier(keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, name="sgd"))
    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1)
    model.fit(X_train, y_train, epochs=3, batch_size=150, validation_data=(X_test, y_test), callbacks=[stopping],
              class_weight={digit: 1.0 + digit / 10 for digit in range(10)}, shuffle=False, verbose=0)
    mlflow.keras.autolog(disable=True)
    uri = keep_run(report, "keras", mlflow.last_active_run().info.run_id)
    report.keep("keras predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X_test[:3]), 5).tolist())
    report.keep("keras loaded", type(mlflow.keras.load_model(uri)).__name__)


def by_tensorflow(report: Report) -> None:
    X_train, y_train, X_test, y_test = digits()
    mlflow.tensorflow.autolog(
        log_every_epoch=False, log_every_n_steps=5, checkpoint_monitor="loss", checkpoint_save_weights_only=True
    )
    model = classifier(keras.optimizers.RMSprop(learning_rate=0.01, name="rmsprop"))
    data = tf.data.Dataset.from_tensor_slices((X_train, y_train)).batch(100)
    stopping = keras.callbacks.EarlyStopping(monitor="loss", min_delta=10, patience=1, restore_best_weights=True)
    model.fit(data, epochs=4, callbacks=[stopping], shuffle=False, verbose=0)
    mlflow.tensorflow.autolog(disable=True)
    run_id = mlflow.last_active_run().info.run_id
    uri = keep_run(report, "tensorflow", run_id)
    report.keep("tensorflow predicts", np.round(mlflow.pyfunc.load_model(uri).predict(X_test[:3]), 5).tolist())
    restored = mlflow.tensorflow.load_checkpoint(classifier("sgd"), run_id)
    report.keep("tensorflow checkpoint", float(np.round(np.sum(restored.get_weights()[0]), 4)))


def by_hand(report: Report) -> None:
    X_train, y_train, *_ = digits()
    model = classifier(keras.optimizers.Adam(learning_rate=0.01, name="adam"))
    with mlflow.start_run() as run:
        model.fit(X_train, y_train, epochs=2, batch_size=500, verbose=0, callbacks=[mlflow.keras.MlflowCallback()])
        mlflow.keras.log_model(model, name="by_hand", signature=mlflow.models.infer_signature(
            X_train, model.predict(X_train, verbose=0)))
    keep_run(report, "by hand", run.info.run_id)


if __name__ == "__main__":
    main()
