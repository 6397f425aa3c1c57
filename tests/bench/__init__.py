"""`make bench`: this project beside the bare driver, in one run on one PostgreSQL (see `__main__`)."""
