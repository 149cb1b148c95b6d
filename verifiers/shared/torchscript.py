"""TorchScript files that somebody else wrote: loaded only if all that they do is compute with tensors.

TorchScript has operators that read and write files (`aten::save`, `aten::from_file`), print, or call other
machines, and a file may hold functions that run when it is loaded. A list of all allowed operators would
refuse models that torch traces in another way tomorrow, so operators are judged by their signatures: those of
tensors and numbers that take no text but the names of modes may run. That leaves no way to name a file, and
new operators with other effects are refused unless they look like arithmetic.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llasa_core.errors import first_line
from verifiers.errors import VerifierError

_RUN_BY_ITSELF = (b"__setstate__", b"__forward_hooks__", b"__forward_pre_hooks__")
"""Names of functions that run without being called: when the file is loaded, or beside `forward`."""
_MODES = frozenset(
    (
        *("approximate", "equation", "indexing", "mode", "norm", "pad_mode", "padding", "padding_side"),
        *("reduce", "rounding_mode", "side"),
    )
)
"""Arguments of type str that choose among a few words."""
_NUMBERS = frozenset(
    f"aten::{name}"
    for name in (
        *(
            "Bool",
            "Float",
            "Int",
            "__and__",
            "__derive_index",
            "__getitem__",
            "__is__",
            "__isnot__",
            "__not__",
        ),
        *(
            "__or__",
            "__range_length",
            "_set_item",
            "_unwrap_optional",
            "add",
            "append",
            "ceil",
            "device",
            "div",
        ),
        *(
            "eq",
            "extend",
            "floor",
            "floordiv",
            "ge",
            "gt",
            "le",
            "len",
            "list",
            "log",
            "lt",
            "mul",
            "ne",
            "neg",
        ),
        *("pow", "remainder", "round", "slice", "sqrt", "sub", "sum"),
    )
)
"""Operators of numbers and lists."""
_STRUCTURE = frozenset(
    f"prim::{name}"
    for name in (
        *("Constant", "DictConstruct", "GetAttr", "If", "ListConstruct", "ListUnpack", "Loop", "NumToTensor"),
        *("RaiseException", "TupleConstruct", "TupleIndex", "TupleUnpack", "Uninitialized", "data", "device"),
        *("dtype", "is_cuda", "layout", "max", "min", "unchecked_cast"),
    )
)


def load_torchscript(file: Path, device: str, what: str) -> Any:
    """torch.jit.ScriptModule on the device, in evaluation mode. what: names the file that is wanted, for
    errors.

    Raises VerifierError for a file that cannot be read, and for one that does anything but compute.
    """
    import torch

    try:
        # torch's own reader, so that what is looked at is what is loaded.
        archive = torch._C.PyTorchFileReader(str(file))
        code = [archive.get_record(name) for name in archive.get_all_records() if name.endswith(".py")]
        found = [name.decode() for name in _RUN_BY_ITSELF for text in code if name in text]
        if not found:
            model = torch.jit.load(str(file), map_location=device)  # type: ignore[no-untyped-call]
            found = sorted(set(_other_effects(model)))
    except (RuntimeError, ValueError, OSError) as error:
        raise VerifierError(f"cannot load {file} ({first_line(error)}): give {what}") from error
    if found:
        raise VerifierError(
            f"{file} does more than compute with tensors ({', '.join(found[:3])}), which is never "
            f"run: give {what}"
        )
    return model.eval()


def _other_effects(model: Any) -> Iterator[str]:
    """Operators of the module, whatever it calls included, that may do something else than compute."""
    for module in model.modules():
        for name in module._c._method_names():
            yield from _refused(module._c._get_method(name).inlined_graph)


def _refused(block: Any) -> Iterator[str]:
    for node in block.nodes():
        if not _computes(node):
            yield node.kind()
        for inner in node.blocks():
            yield from _refused(inner)


def _computes(node: Any) -> bool:
    import torch

    kind, text = node.kind(), node.schema()
    if kind in _STRUCTURE:
        return True
    if not kind.startswith("aten::") or text == "(no schema)":
        return False
    schema = torch._C.parse_schema(text)
    words = [a.name for a in schema.arguments if "str" in str(a.type) and a.name not in _MODES]
    tensors = any("Tensor" in str(value.type) for value in (*schema.arguments, *schema.returns))
    return not words and (tensors or kind in _NUMBERS) and kind != "aten::save"
