"""
The service's words: the one place that knows its field names and headers.
"""
