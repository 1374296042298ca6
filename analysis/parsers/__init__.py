"""One parser per log. Each takes the lines of a file and streams; opening files is the caller's work."""
