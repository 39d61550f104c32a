"""An experiment as a plain PyTorch program, such as a person would have written.

`pytorch` returns it. What the engine draws and computes is taken from the source of the catalogues'
rows; the lines around it are those of any program that trains a network. It may import the leaves,
`catalogues`, `records` and `engine`. To add a part of programs, add its lines to `network_lines`,
`initial_weights` or `training_lines`, and its place among the sections of `program`.

>>> from stability import Experiment, script
>>> program = script.pytorch(Experiment(depth=3), "he_normal")
>>> print(program[program.index("for step") :])
for step, batch in zip(range(301), batch_indices()):
    loss = F.cross_entropy(model(x[batch]), y[batch])
    print(step, f"{loss.item():.8g}")
    if step < 300:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
<BLANKLINE>
"""

from stability.script.program import pytorch

__all__ = ["pytorch"]
