"""Published measurements, one folder each, and the claims they make held against what was measured."""
