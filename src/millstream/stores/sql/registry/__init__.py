"""The registry in SQL: registered models, their versions, and the log of what happened to them."""
