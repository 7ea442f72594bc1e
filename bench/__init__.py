"""Benches: ratios measured in one run, written to docs/benchmarks.md. `make bench`; no test rests on a time."""
