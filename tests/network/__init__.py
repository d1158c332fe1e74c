"""
A bad network between pacer and the service: a TCP proxy that delays, resets, swallows and half-closes.
"""
