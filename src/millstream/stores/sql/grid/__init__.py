"""The table of runs as the web UI reads it: windows of rows, columns of cells, groups, trees, curves."""
