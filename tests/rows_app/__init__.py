"""Models that share rows with others. `make_table` makes their tables, in the transaction of a test."""
