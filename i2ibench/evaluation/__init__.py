"""Predictions and targets in, scores out."""
