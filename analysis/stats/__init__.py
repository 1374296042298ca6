"""Intervals, tests and regression: numbers in, numbers out. Imports nothing else of the analysis."""
