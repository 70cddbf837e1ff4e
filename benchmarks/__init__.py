"""Measurements, each against a named reference in the same run; docs/benchmarks.md holds what they printed."""
