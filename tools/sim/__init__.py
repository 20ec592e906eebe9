"""Simulators of what the sensors see."""
