"""What every HTTP server of ours has in front: limits on heads, names and origins that it answers to, log lines."""
