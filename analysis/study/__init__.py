"""All runs of one results directory: by case and series, as tables, and whether the lab was steady."""
