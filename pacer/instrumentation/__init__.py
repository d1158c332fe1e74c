"""
What a run tells the world: happenings, and their renderings.
"""
