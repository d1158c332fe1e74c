"""
The cost of being pacer, as ratios in one run: what is compared alternates, and medians are taken.
"""
