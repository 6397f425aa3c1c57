"""Golden queries and their right answers."""
