"""Settings of the analysis tests."""

from hypothesis import settings

# The machine also runs labs: time says nothing about these tests.
settings.register_profile("analysis", deadline=None)
settings.load_profile("analysis")
