"""The modules of which nothing can be said, each refused in a sentence."""

from torch import nn
from torch.nn.parameter import UninitializedParameter

from stability.i18n import _


def check_module(module: nn.Module) -> None:
    """Raise ValueError for a module of which nothing can be said."""
    if not isinstance(module, nn.Module):
        raise ValueError(
            _("module must be a torch.nn.Module, not {type}").format(type=type(module).__name__)
        )
    parameters = dict(module.named_parameters())
    if any(type(part).__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized"))
           for part in module.modules()):  # fmt: skip
        raise ValueError(
            _("the module is quantised: its weights are whole numbers without gradients")
        )
    if not parameters:
        raise ValueError(_("the module has no parameters: there is nothing that could train"))
    for name, parameter in parameters.items():
        if sentence := refusal_of(parameter):
            raise ValueError(sentence.format(name=name))


def refusal_of(parameter: nn.Parameter) -> str:
    """Return why nothing can be said of a module with this parameter; "" if it can."""
    if isinstance(parameter, UninitializedParameter):
        return _("`{name}` is lazy and has no shape yet: call the module once before")
    if parameter.is_meta:
        return _("`{name}` is on the meta device and has no numbers: materialize it")
    if parameter.is_inference():
        return _("`{name}` was made in torch.inference_mode() and cannot be trained")
    return ""
