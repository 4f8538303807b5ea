"""The built-in data set: drawn tissue, the same bytes on every machine."""
