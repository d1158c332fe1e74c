"""Tests of the pacing core: literal times, no loop, no clock."""
