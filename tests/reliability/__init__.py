"""
The promises, under every fault that can be made: see ``docs/reliability.md``.
"""
