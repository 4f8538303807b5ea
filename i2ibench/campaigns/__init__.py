"""Many runs: the file that declares them, their list, their state, and what starts them."""
