"""Every page of both sites: as data (visits), and in a browser (`make test-pages`)."""
