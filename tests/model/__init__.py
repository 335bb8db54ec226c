"""The real SQL beside a simple model of it. The simulation runs on the same model."""
