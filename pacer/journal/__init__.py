"""
What must survive a crash: the batch, each request's state, each capture.
"""
