"""
What every test stands on.
"""

import asyncio

# pytest-asyncio 1.5 on Python 3.11 leaves a loop that nobody closes when sync and async tests
# mix: with warnings as errors, tests then fail at random. Starting without one avoids it.
asyncio.set_event_loop(None)
