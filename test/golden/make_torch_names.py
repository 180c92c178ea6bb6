#!/usr/bin/env python3
"""Writes torch-names.json, beside this file: the public names of the parts of PyTorch that Headrace follows, and the
arguments with their defaults of those that are layers, functions of layers, initialisers, optimizers and schedulers.

Run with Debian 12's python3-torch (1.13):  /usr/bin/python3 test/golden/make_torch_names.py
"""
import inspect
import json
import os
import re

import torch
import torch.nn.functional
import torch.optim.lr_scheduler


def public(module, belongs):
    names = []
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if belongs(name, value):
            names.append(name)
    return sorted(names)


def of_torch(name, value):
    """The documented functions, the dtypes and the classes of torch itself; not what it imports or leaves undocumented."""
    if isinstance(value, torch.dtype):
        return True
    if inspect.isclass(value):
        return name in ("Tensor", "Generator", "Size", "device", "finfo", "iinfo", "no_grad", "enable_grad", "inference_mode", "autocast")
    if name in ("obj", "parse_ir", "is_storage", "fork"):
        return False
    doc = (value.__doc__ or "").strip()
    # pybind11 writes "name(arg0: ...) -> ..." where nobody wrote anything.
    bound = "arg0" in doc or doc.endswith("-> None") or doc.startswith(f"{name}() ->") or "*args, **kwargs) -> object" in doc
    home = getattr(value, "__module__", None) or ""
    return callable(value) and bool(doc) and not bound and (home.startswith("torch") or hasattr(torch._C._VariableFunctions, name))


def of_nn(name, value):
    return inspect.isclass(value) and name not in ("Container", "NLLLoss2d")  # deprecated for years


def of_functional(name, value):
    home = getattr(value, "__module__", None) or ""
    documented = home in ("torch.nn.functional", "torch._jit_internal") or inspect.isbuiltin(value)
    helper = name.startswith("has_torch_function") or name in ("assert_int_or_pair", "boolean_dispatch") or name.endswith("_with_indices")
    return callable(value) and documented and not inspect.isclass(value) and not helper


def of_optim(name, value):
    return inspect.isclass(value)


def of_schedulers(name, value):
    return inspect.isclass(value) and value.__module__ == "torch.optim.lr_scheduler"


lists = {
    "torch": public(torch, of_torch),
    "torch.nn": public(torch.nn, of_nn),
    "torch.nn.functional": public(torch.nn.functional, of_functional),
    "torch.nn.init": public(torch.nn.init, lambda n, v: inspect.isfunction(v) and n.endswith("_") or n == "calculate_gain"),
    "torch.optim": public(torch.optim, of_optim),
    "torch.optim.lr_scheduler": public(torch.optim.lr_scheduler, of_schedulers),
}


def plain(default):
    """A default as JSON, or its text where it is an object of Python's."""
    if default is None or isinstance(default, (bool, int, float, str)):
        return default
    return list(default) if isinstance(default, tuple) else {"python": str(default)}


def of_doc(value):
    """The arguments of a builtin, from the first line of its documentation: "softplus(input, beta=1, threshold=20) -> Tensor"."""
    line = re.search(r"\w+\((.*?)\) ->", (value.__doc__ or "").strip())
    found = []
    for part in line.group(1).split(",") if line else []:
        name, _, default = (piece.strip() for piece in part.partition("="))
        if name != "*":
            found.append([name] + ([plain(eval(default, {}))] if default else []))
    return found


def arguments(module, name):
    """[name, default] or [name] of each argument; None where Python does not say."""
    value = getattr(module, name)
    # Dispatchers on a flag hide their arguments behind *args.
    value = getattr(module, f"{name}_with_indices", value)
    if inspect.isclass(value) and issubclass(value, torch.nn.RNNBase) and value is not torch.nn.RNNBase:
        value = torch.nn.RNNBase
    called = value.__init__ if inspect.isclass(value) else value
    try:
        parameters = list(inspect.signature(called).parameters.values())
    except ValueError:
        return of_doc(value)
    return [
        [p.name] + ([] if p.default is p.empty else [plain(p.default)])
        for p in parameters
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in ("self", "mode" if called is torch.nn.RNNBase.__init__ else "")
        and not p.name.startswith("_")
    ]


homes = {"torch.nn": torch.nn, "torch.nn.functional": torch.nn.functional, "torch.nn.init": torch.nn.init,
         "torch.optim": torch.optim, "torch.optim.lr_scheduler": torch.optim.lr_scheduler}
signatures = {area: {name: arguments(home, name) for name in lists[area]} for area, home in homes.items()}


def lines(area):
    return ",\n".join(f"   {json.dumps(name)}: {json.dumps(found)}" for name, found in signatures[area].items())


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch-names.json"), "w") as f:
    text = json.dumps({"torch": torch.__version__, "names": lists}, indent=1).removesuffix("\n}")
    each = ",\n".join(f"  {json.dumps(area)}: {{\n{lines(area)}\n  }}" for area in signatures)
    f.write(f'{text},\n "signatures": {{\n{each}\n }}\n}}\n')
