"""Where in Databricks a run was started, from the environment variables of its runtime."""

from __future__ import annotations

import os

# Variable of the runtime, or one that a job hands to its task → MLflow's tag.
VARIABLES = {
    "DB_CLUSTER_ID": "mlflow.databricks.cluster.id",
    "DATABRICKS_CLUSTER_ID": "mlflow.databricks.cluster.id",
    "DATABRICKS_HOST": "mlflow.databricks.workspaceURL",
    "DATABRICKS_WORKSPACE_ID": "mlflow.databricks.workspaceID",
    "DATABRICKS_NOTEBOOK_ID": "mlflow.databricks.notebookID",
    "DATABRICKS_NOTEBOOK_PATH": "mlflow.databricks.notebookPath",
    "DATABRICKS_JOB_ID": "mlflow.databricks.jobID",
    "DATABRICKS_JOB_RUN_ID": "mlflow.databricks.jobRunID",
}


class Databricks:
    """The provider for a process on a Databricks cluster."""

    def in_context(self) -> bool:
        """Whether the Databricks runtime is around."""
        return "DATABRICKS_RUNTIME_VERSION" in os.environ

    def tags(self) -> dict[str, str]:
        """Cluster, workspace, notebook and job; the source is the notebook or the job where one is known."""
        tags = {tag: os.environ[variable] for variable, tag in VARIABLES.items() if os.environ.get(variable)}
        if notebook := os.environ.get("DATABRICKS_NOTEBOOK_PATH"):
            tags |= {"mlflow.source.name": notebook, "mlflow.source.type": "NOTEBOOK"}
        elif job := os.environ.get("DATABRICKS_JOB_ID"):
            tags |= {"mlflow.source.name": f"jobs/{job}", "mlflow.source.type": "JOB"}
        return tags
