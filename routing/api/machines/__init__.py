"""What machines ask: alive, ready, the numbers for Prometheus."""
