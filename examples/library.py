"""
pacer in ten lines: every capture as it ends, resumable after any crash.

Set AISEARCH_API_KEY, then: python examples/library.py
"""

import asyncio

from pacer import Pacer

REQUESTS = [
    {"id": f"{country}-{number}", "query": query, "surfaces": ["chatgpt", "perplexity"], "regions": [country]}
    for country in ("US", "DE", "JP")
    for number, query in enumerate(["best noise-cancelling headphones", "quiet dishwasher under 45 dB"])
]


async def main() -> None:
    async with Pacer(journal="library.pacer.db") as p:
        async for capture in p.captures(REQUESTS):
            print(capture.request, capture.surface, capture.region, capture.status)


asyncio.run(main())
