"""Compiles the kernels for GPUs that are not here, in a process in which the interpreter is off."""

import os

os.environ["TRITON_INTERPRET"] = "0"

from typing import Any

import torch
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from llasa_core.lm.cuda import gate, kernels, race
from llasa_core.lm.cuda.attention import BLOCKS, rows_of_a_tile

SHAPES = [
    # type, queries of a head of keys, dimensions: Llasa-1B, 3B, 8B, and the nano model
    ("bf16", tl.bfloat16, 4, 64),
    ("bf16", tl.bfloat16, 3, 128),
    ("bf16", tl.bfloat16, 4, 128),
    ("fp32", tl.float32, 4, 64),
    ("fp32", tl.float32, 3, 128),
    ("fp32", tl.float32, 4, 128),
    ("fp32", tl.float32, 1, 16),
]
SHARED_MEMORY = 99 * 1024
"""Bytes that a block may have on the smallest of these GPUs (compute capability 8.6 and 8.9)."""


def compile_for(
    capability: int, kernel: Any, types: dict[str, str], constants: dict[str, Any], **options: Any
) -> None:
    signature = types | dict.fromkeys(constants, "constexpr")
    target = GPUTarget("cuda", capability, 32)
    found = triton.compile(ASTSource(kernel, signature, constants), target=target, options=options)
    assert found.asm["cubin"]
    assert found.metadata.shared <= SHARED_MEMORY, found.metadata.shared


def main() -> None:
    for capability in (80, 90):
        for name, kept, sharing, dim in SHAPES:
            states = dict.fromkeys(("states", "cos", "sin"), f"*{name}") | {"positions": "*i64"}
            block, stages = BLOCKS[torch.float32 if name == "fp32" else torch.bfloat16]
            results, rows = {"out": "*fp32", "lse": "*fp32"}, {"rows": "i32"}
            shared = {
                "KV": 8,
                "SHARING": sharing,
                "D": dim,
                "BLOCK": block,
                "SCALE": 0.125,
                "KEYS": kept,
                "DOT": kept,
            }
            for tile in {rows_of_a_tile(1, sharing), rows_of_a_tile(256, sharing)}:
                compile_for(
                    capability,
                    kernels.attend_to_prefixes,
                    states | {"tiles": "*i64"} | results | {"layer": "i32"} | rows,
                    shared | {"PADDED": triton.next_power_of_2(sharing), "ROWS": tile},
                    num_stages=stages,
                )
            compile_for(
                capability,
                kernels.attend_to_own,
                states
                | {"block": f"*{name}"}
                | results
                | {"result": f"*{name}", "row_stride": "i32", "columns": "i32"}
                | rows,
                shared | {"PADDED": 16, "PARTS": 8},
                num_stages=stages,
            )
        for kept in ("bf16", "fp32"):
            types = {"gate_up": f"*{kept}", "out": f"*{kept}", "width": "i32"}
            compile_for(capability, gate.silu_mul_rows, types, {"BLOCK": gate.BLOCK})
        numbers = {"keys": "*i64", "out": "*fp32", "count": "i32"}
        exactly = {"BLOCK": race.NUMBERS}
        compile_for(capability, race.write_exponentials, numbers, exactly, enable_fp_fusion=False)
        for listed in (False, True):
            compile_for(
                capability,
                race.race_rows,
                {"weights": "*fp32", "tokens": "*i64", "keys": "*i64", "picked": "*i64"}
                | {"count": "i32", "top_k": "i32", "top_p": "fp32", "min_p": "fp32"},
                {"LISTED": listed, "BY_COUNT": True, "BY_MASS": True, "BLOCK": 128 if listed else race.BLOCK},
                num_warps=4 if listed else race.WARPS,
                enable_fp_fusion=False,
            )
    print("compiled")


if __name__ == "__main__":
    main()
