"""The commands of `ground`, one module each: its options, and what it does with them."""
