"""Pages and pictures of a run and of a comparison."""
