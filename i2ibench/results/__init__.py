"""Records of runs: schema, run folder, statistics, comparison, verification."""
