"""What monitoring keeps, in SQL."""
