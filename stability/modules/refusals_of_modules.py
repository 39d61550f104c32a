"""The modules of which nothing can be said, each refused in a sentence."""

from torch import nn
from torch.nn.parameter import UninitializedParameter


def check_module(module: nn.Module) -> None:
    """Raise ValueError for a module of which nothing can be said."""
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, not {type(module).__name__}")
    parameters = dict(module.named_parameters())
    if any(type(part).__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized"))
           for part in module.modules()):  # fmt: skip
        raise ValueError("the module is quantised: its weights are whole numbers without gradients")
    if not parameters:
        raise ValueError("the module has no parameters: there is nothing that could train")
    for name, parameter in parameters.items():
        if isinstance(parameter, UninitializedParameter):
            raise ValueError(f"`{name}` is lazy and has no shape yet: call the module once before")
        if parameter.is_meta:
            raise ValueError(f"`{name}` is on the meta device and has no numbers: materialize it")
        if parameter.is_inference():
            raise ValueError(f"`{name}` was made in torch.inference_mode() and cannot be trained")
