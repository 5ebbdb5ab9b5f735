"""Settings of all tests: one thread per pass, and Hypothesis without deadlines."""

from hypothesis import settings

from index.network import prepare_process

settings.register_profile("onrecord", deadline=None, max_examples=60)
settings.load_profile("onrecord")
prepare_process()

pytest_plugins = ["support.newsroom", "support.jobs", "support.postgres", "support.stores"]
