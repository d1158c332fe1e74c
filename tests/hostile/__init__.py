"""
Strangers' journals, strangers' text and the secret that none of them may learn.
"""
