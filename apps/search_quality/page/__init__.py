"""What the page of search quality shows."""
