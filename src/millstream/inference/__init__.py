"""Models over files: read in chunks, predicted, and written as they are made."""
