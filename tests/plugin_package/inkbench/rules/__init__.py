"""A plugin package of i2ibench."""
