"""A tenant leaves: a time of grace, the deletion, and a report that proves it."""
