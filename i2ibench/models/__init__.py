"""Translation methods: the interface and those without training."""
