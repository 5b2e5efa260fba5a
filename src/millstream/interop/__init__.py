"""MLflow and Millstream side by side: what MLflow has stored is brought in, its own files left as they are."""
