"""
A report as one HTML file that opens offline: pictures of the run, and a table beside each.
"""

from pacer.cli.page.making import PageMaker

__all__ = ["PageMaker"]
