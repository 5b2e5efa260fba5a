"""Tables to learn from: gaps filled, words as columns of zeros and ones, split into train, validation and test."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
from sklearn.model_selection import train_test_split

import millstream as mlflow

PARTS = ("train", "validation", "test")


def preprocess(loans: Path, output: Path) -> dict[str, int]:
    """Write train.csv, validation.csv and test.csv into a folder; the rows of each."""
    table = pd.read_csv(loans)
    table.insert(0, "burden", table["amount"] / table["income"])
    table["years_unknown"] = table["years_employed"].isna()
    table["years_employed"] = table["years_employed"].fillna(table["years_employed"].median())
    table = pd.get_dummies(table, columns=["home", "purpose"]).astype(float)
    rest, test = train_test_split(table, test_size=0.2, random_state=0, stratify=table["default"])
    train, validation = train_test_split(rest, test_size=0.25, random_state=0, stratify=rest["default"])
    output.mkdir(parents=True, exist_ok=True)
    parts = {"train": train, "validation": validation, "test": test}
    for name in PARTS:
        parts[name].to_csv(output / f"{name}.csv", index=False)
    return {name: len(part) for name, part in parts.items()}


@click.command(help=__doc__)
@click.option("--loans", type=click.Path(exists=True, path_type=Path), default=Path("data/loans.csv"))
@click.option("--output", type=click.Path(path_type=Path), default=Path("data"))
def main(loans: Path, output: Path) -> None:
    with mlflow.start_run():
        for name, rows in preprocess(loans, output).items():
            mlflow.log_metric(f"{name}_rows", rows)
            mlflow.log_artifact(str(output / f"{name}.csv"))


if __name__ == "__main__":
    main()
