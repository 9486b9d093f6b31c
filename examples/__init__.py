"""Programs that show what Tetrarch does; each is run from the repository's root, as `python -m examples.demo`."""
