"""Any torch.nn.Module: what one pass through it shows, findings in words, and what cures them.
It may import `charts` and everything beneath it, but neither `course` nor `page`. To add a kind of
finding, add a function that finds it and its row to `kinds`."""
