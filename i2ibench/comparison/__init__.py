"""Whether methods differ, on the same pairs."""
