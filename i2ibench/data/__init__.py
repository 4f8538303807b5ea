"""Paired data sets as they lie on disk."""
