"""Codecs: integer arrays to small parts that decode alone, and back, bit for bit."""
