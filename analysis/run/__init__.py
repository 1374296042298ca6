"""One run: clocks, timeline, traffic, outage, slowdown, where each lost ping was lost, and all metrics."""
