"""
The real controller against the service's model in virtual time: days of service time in seconds.

Deterministic by seed. ``pacer simulate`` prints :mod:`pacer.simulation.report`.
"""
