"""
The ``pacer`` command: typer commands, and what they show on a terminal.
"""
