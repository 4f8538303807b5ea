"""What `run` does, from the options to the finished folder."""
