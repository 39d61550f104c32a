"""What is predicted before any training: signals by mean field, overflow, and the law of products of matrices.
It may import `engine` and everything beneath it, but neither `diagnosis` nor `probes`. To add a prediction, add
a function that fills the fields of a measurement."""
