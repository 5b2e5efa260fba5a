"""The scoring server: a model behind HTTP, by MLflow's protocol and the open inference protocol."""
