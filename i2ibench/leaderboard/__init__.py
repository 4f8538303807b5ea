"""Boards: entries ranked and rendered."""
