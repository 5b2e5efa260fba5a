"""The version of MLflow that Millstream follows: what programs compare with."""

VERSION = "3.17.2"
