"""The sample model: a picture of the canister and its telemetry to a verdict before ascent."""
