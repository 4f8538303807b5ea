"""What is wrong with a data set, told before training starts."""
