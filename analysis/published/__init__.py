"""Published measurements that a study repeats, as data."""
