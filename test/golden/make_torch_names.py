#!/usr/bin/env python3
"""Writes torch-names.json, beside this file: the public names of the parts of PyTorch that Headrace follows.

Run with Debian 12's python3-torch (1.13):  /usr/bin/python3 test/golden/make_torch_names.py
"""
import inspect
import json
import os

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
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch-names.json"), "w") as f:
    json.dump({"torch": torch.__version__, "names": lists}, f, indent=1)
    f.write("\n")
