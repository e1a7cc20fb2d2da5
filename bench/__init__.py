"""Benchmarks: ours beside the bare limit of the same machine in the same run. `make bench`."""
