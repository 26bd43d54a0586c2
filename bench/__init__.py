"""Benchmarks as ratios: `make bench`, or `make bench QUICK=1` for tables of 100,000 rows.

Every figure compares two whole processes on the same rows in one run; single seconds mean nothing on a shared machine.
"""
