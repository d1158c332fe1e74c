"""
Real processes, real sockets, real disks: killed, interrupted, filled up, taken away.
"""
