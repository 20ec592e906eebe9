"""What serves the project: start, simulators, benches, the demo."""
