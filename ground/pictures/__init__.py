"""Pictures for people: maps on their frames, spectra with units."""
