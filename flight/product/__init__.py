"""What bytes mean: values, records, parts, events, journal, codecs."""
