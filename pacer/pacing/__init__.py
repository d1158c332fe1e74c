"""
The core: what to do next, decided without I/O, clock, log or chance.
"""
