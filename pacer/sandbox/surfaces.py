"""
The surfaces that exist, what a capture of each costs, and which methods serve it.
"""

from typing import Final

__all__ = ["CREDITS", "METHODS", "NEWER"]

CREDITS: Final = {
    "claude": 6,
    "chatgpt": 5,
    "copilot": 5,
    "google_ai_overview": 5,
    "gemini": 4,
    "google_ai_mode": 4,
    "perplexity": 3,
    "google_search": 2,  # not published; a plausible price
    "google_news": 2,  # not published; a plausible price
}
"""Credits that a successful capture costs."""

METHODS: Final = dict.fromkeys(CREDITS, ("own-fleet", "managed-vendor")) | {"claude": ("official-api",)}
"""The methods that can serve a surface; `auto` takes the first."""

NEWER: Final = frozenset({"google_search", "google_news"})
"""Surfaces that only generation B of the documentation knows."""
