"""The computation: the stack of networks, its forward and backward pass, measurements, runs that
store them, and the registry that shares and queues runs. It may import the leaves, `catalogues`
and `records`. To add a measurement, add a field to `Measurement` and compute it in `quantities`."""
