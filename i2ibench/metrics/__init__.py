"""Metrics of pairs and of sets, each with a signature."""
