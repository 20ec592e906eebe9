"""Campaigns: runs too long for the test suite, which runs a slice of each."""
