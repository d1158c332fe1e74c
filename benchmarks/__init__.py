"""
What pacer costs, and how it compares: measured in one run on one machine, written down as JSON, rendered.
"""
