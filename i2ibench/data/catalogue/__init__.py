"""The shipped data set cards, one TOML file each."""
