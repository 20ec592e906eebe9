"""X-ray fluorescence spectrum to oxide abundances: response, network, training, evaluation."""
