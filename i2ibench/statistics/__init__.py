"""Intervals and tests of paired scores: pure functions."""
