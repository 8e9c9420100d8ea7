"""What a table needs before a network can learn from it."""
