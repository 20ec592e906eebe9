"""Int8 networks, from quantisation-aware training to a .tflite file that a board runs.

A network is written once, in PyTorch: a ``network.Network`` made of ``layers``. Training sees
what the board will compute: weights and activations are rounded to their int8 grids in the
forward pass while gradients pass straight through. Running the trained network once with a
recorder gives a ``graph``: integer weights, scales and steps, no framework. ``writer`` turns it
into a TensorFlow Lite file, ``oracle`` computes it in integer numpy, bit for bit as the reference
kernels do, and ``card`` writes down what is known of it.

No converter takes part, so the same weights give the same bytes on every run.

    network = MyNetwork()                                # train in float as usual
    network.quantise(batches)                            # fold, calibrate, start rounding
    Adam(network.parameter_groups(1e-4, 1e-3))           # train a little more
    graph = network.export((1, 256, 256, 1))
    card.save(folder, writer.write(graph), {**card.facts(graph, ...), "policy": {...}})
"""
