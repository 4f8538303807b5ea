"""Networks behind metrics: weights, trunks, Inception, fast convolutions."""
