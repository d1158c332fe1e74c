"""
pacer: submit capture requests to the AI Search API as fast as its queue drains.
"""

__version__ = "0.1.0"
