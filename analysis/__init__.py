"""Reads the run directories of a study and nothing else: from raw logs to the report.

It never contacts a node and imports nothing of the layers above it. See README.md in this folder.
"""
