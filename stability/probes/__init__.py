"""What is looked into more closely, one question a file: Jacobians, symmetries, saturation, learned functions, formats.
It may import `engine` and everything beneath it, but neither `theory` nor `diagnosis`. To add a probe, add a
file here, a frame of it in `frames`, a chart in `charts` and a section in `page`."""
