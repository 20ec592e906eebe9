"""Models: each folder holds model.tflite, card.toml, and the code that trained and judged them."""
