"""Monitoring of what is served: requests recorded, drift measured, alerts decided."""
