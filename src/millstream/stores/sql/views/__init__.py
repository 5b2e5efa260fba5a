"""What the web UI keeps in the store: saved views, what is pinned, and the numbers of changes."""
