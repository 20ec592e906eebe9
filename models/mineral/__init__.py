"""Reflectance spectrum to mineral phase: library, network, training, evaluation."""
