"""What the board concludes: from a model's integers to findings to a decision."""
