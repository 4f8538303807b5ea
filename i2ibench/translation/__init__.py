"""From a checkpoint to a folder of predictions."""
