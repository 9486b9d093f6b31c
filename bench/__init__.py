"""Tetrarch beside its peers, in one run, on the same two threads: `make bench`, or `python -m bench --help`."""
