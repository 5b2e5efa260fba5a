"""Loan applications and who defaulted, made by a risk that is known: the first step.

There is no table of loans with a licence to pass on, so this one is made up, the same for the same seed. Each applicant
has the columns of COLUMNS; some left out how long they have worked. `risk` is the probability that such a loan is not
paid back, and chance decides by it, so nobody can predict better than `risk` itself does: its AUC is logged as
`best_possible_auc`, to hold a model against.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import millstream as mlflow

HOMES = {"rent": 0.45, "mortgage": 0.4, "own": 0.15}
PURPOSES = {"car": 0.3, "debts": 0.3, "home": 0.2, "education": 0.1, "medical": 0.1}
COLUMNS = {
    "income": "thousands a year, log-normal around 42",
    "amount": "thousands, from a tenth of the income to more than all of it",
    "term": "months: 36 or 60",
    "utilization": "the part of all credit lines that is used, 0 to 1",
    "late_payments": "in the last two years, a tenth of the applicants have three or more",
    "years_employed": "empty where the applicant left it out, one in twenty",
    "home": "rent, mortgage or own",
    "purpose": "car, debts, home, education or medical",
}


def risk(loans: pd.DataFrame, years_employed: np.ndarray) -> np.ndarray:
    """The probability of default: log-odds with an interaction that no linear model sees."""
    burden = loans["amount"] / loans["income"]
    odds = (
        -3.1 + 2.4 * burden + 0.55 * loans["late_payments"] + 1.3 * loans["utilization"] - 0.06 * years_employed
        + 0.4 * (loans["term"] == 60) + 0.3 * (loans["home"] == "rent") - 0.3 * (loans["home"] == "own")
        + 0.4 * (loans["purpose"] == "medical")
        + 1.6 * ((loans["late_payments"] >= 2) & (burden > 0.5))
    )
    return np.asarray(1 / (1 + np.exp(-odds)))


def applications(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of applications with the column `default`, and the risk of each."""
    chance = np.random.default_rng(seed)
    income = np.exp(chance.normal(np.log(42), 0.45, rows)).round(1)
    years = chance.gamma(1.6, 5.0, rows).round(1)
    loans = pd.DataFrame({
        "income": income,
        "amount": (income * chance.uniform(0.1, 1.0, rows) ** 1.3).round(1) + 1.0,
        "term": chance.choice([36, 60], rows, p=[0.65, 0.35]),
        "utilization": chance.beta(2.0, 3.0, rows).round(3),
        "late_payments": chance.poisson(chance.gamma(0.8, 1.2, rows)),
        "years_employed": years,
        "home": chance.choice(list(HOMES), rows, p=list(HOMES.values())),
        "purpose": chance.choice(list(PURPOSES), rows, p=list(PURPOSES.values())),
    })
    known = risk(loans, years)
    loans["default"] = (chance.uniform(size=rows) < known).astype(int)
    loans.loc[chance.uniform(size=rows) < 0.05, "years_employed"] = np.nan
    return loans, known


def load(rows: int, seed: int, output: Path) -> float:
    """Write the table to a CSV file; the AUC of the known risk."""
    loans, known = applications(rows, seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    loans.to_csv(output, index=False)
    return float(roc_auc_score(loans["default"], known))


@click.command(help=__doc__)
@click.option("--rows", type=click.FloatRange(min=100), default=5000)
@click.option("--seed", type=float, default=2023)
@click.option("--output", type=click.Path(path_type=Path), default=Path("data/loans.csv"))
def main(rows: float, seed: float, output: Path) -> None:
    with mlflow.start_run():
        mlflow.log_metric("best_possible_auc", load(int(rows), int(seed), output))
        mlflow.log_artifact(str(output))


if __name__ == "__main__":
    main()
