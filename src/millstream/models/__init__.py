"""Models: what they take and give, and how they are kept."""
