"""How often people and servers may ask."""

from __future__ import annotations

import pytest

from bot.errors import RateLimitError
from bot.ratelimit import RateLimit
from bot.settings import Discord


def test_server_has_a_limit_of_its_own() -> None:
    """Many people together are slowed down too, each server for itself."""
    limit = RateLimit(Discord(questions_per_minute=5, server_questions_per_minute=2))
    limit.take(1, 7)
    limit.take(2, 7)
    with pytest.raises(RateLimitError, match="This server has asked a lot"):
        limit.take(3, 7)
    limit.take(3, 8)
