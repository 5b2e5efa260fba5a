"""A random forest on the diabetes data, logged twice: by autologging, and by hand with a signature.

    python examples/sklearn/random_forest.py
"""

from sklearn import metrics
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

import millstream as mlflow
from millstream.models import infer_signature

mlflow.set_experiment("diabetes")
x, y = load_diabetes(return_X_y=True, as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=42)

# By itself.
mlflow.autolog()
with mlflow.start_run(run_name="by itself") as automatic:
    forest = RandomForestRegressor(n_estimators=50, max_depth=6, max_features=3, random_state=42)
    forest.fit(x_train, y_train)
    predictions = forest.predict(x_test)
    metrics.mean_squared_error(y_test, predictions)  # noted as a metric, as these are predictions of the forest
mlflow.autolog(disable=True)

# By hand.
params = {"n_estimators": 100, "max_depth": 6, "max_features": 3, "random_state": 42}
with mlflow.start_run(run_name="by hand") as manual:
    forest = RandomForestRegressor(**params)
    forest.fit(x_train, y_train)
    predictions = forest.predict(x_test)
    mlflow.log_params(params)
    mlflow.log_metric("mse", metrics.mean_squared_error(y_test, predictions))
    mlflow.sklearn.log_model(forest, name="model", signature=infer_signature(x_train, predictions))

for run in (automatic, manual):
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    print(run.info.run_name, sorted(mlflow.get_run(run.info.run_id).data.metrics), model.predict(x_test[:2]).round(1))
