"""What all tests share: Hypothesis without deadlines, for machines that do other work too."""

from hypothesis import settings

settings.register_profile("onrecord", deadline=None, max_examples=60)
settings.load_profile("onrecord")

pytest_plugins = ["support.newsroom", "support.jobs"]
