"""Camera frame to hazard map: network, training, calibration and evaluation."""
