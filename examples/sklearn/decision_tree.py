"""A decision tree on the iris data: autologging notes what was trained, the program adds tags of its own.

    python examples/sklearn/decision_tree.py
"""

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

import millstream as mlflow

mlflow.set_experiment("iris")
mlflow.sklearn.autolog()

data = load_iris(as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(data.data, data.target, random_state=1, stratify=data.target)

with mlflow.start_run(run_name="decision tree") as run:
    mlflow.set_tags({"author": "me", "data": "iris", "purpose": "example"})
    tree = DecisionTreeClassifier(max_depth=3, random_state=1)
    tree.fit(x_train, y_train)
    accuracy = tree.score(x_test, y_test)

found = mlflow.get_run(run.info.run_id)
print(f"accuracy on the test data: {accuracy:.3f}")
print(f"parameters: {', '.join(sorted(found.data.params))}")
for name, value in sorted(found.data.metrics.items()):
    print(f"  {name} = {value:.3f}")

model = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
print(f"the loaded tree predicts {model.predict(x_test[:3]).tolist()}")
