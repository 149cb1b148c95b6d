"""The Llama network of a Llasa model, written for decoding: fused weights, keys and values in one block of memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from llasa_core.errors import UserError
from llasa_core.lm.attention import TorchAttention, TorchReading
from llasa_core.lm.prefix import Group, Prefix

if TYPE_CHECKING:
    from llasa_core.lm.cpu.attention import CompiledAttention

Product = Callable[[Tensor], Tensor]
"""A product with weight matrices: [rows, in] -> [rows, out]."""
Added = Callable[[Tensor, Tensor], Tensor]
"""The same, added to what is given second: [rows, in], [rows, out] -> [rows, out]."""
Attention = Callable[[int, Tensor], Tensor]
"""Layer, and queries, keys and values [rows, heads + 2 * kv_heads, dim] of rows of one token -> [rows, heads * dim]."""
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Those whose angles depend on the position alone."""

LONELY = 1024
"""Inputs from which a single row is given company: oneDNN 3.12 sums 2,048 inputs otherwise, 1,024 not yet."""


@dataclass(frozen=True, slots=True)
class Block:
    """The weights of one layer; those of its norms are in the matrices behind them."""

    qkv: Product
    o: Added
    gate_up: Product
    down: Added


class Network:
    """The weights of a ``LlamaForCausalLM``, and its forward pass over blocks of keys and values.

    Grouped queries, rope scaling that does not depend on the length, no biases: the Llama of Llasa. The same numbers
    as ``transformers`` within 1e-4 in float32.
    """

    def __init__(self, model: Any, outputs: Tensor, context: int) -> None:
        """``outputs``: token ids [rows] whose logits are computed, all others are cut off. ``context``: in tokens.

        Raises UserError for a Llama of another kind.
        """
        config, core = model.config, model.base_model
        rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
        if config.attention_bias or config.mlp_bias or config.hidden_act != "silu" or rope not in ROPE_TYPES:
            raise UserError(
                f"this Llama has biases, another activation than silu or rope scaling of the kind {rope}, which no Llasa "
                "has: give a Llasa model such as HKUSTAudio/Llasa-1B"
            )
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.layers = len(core.layers)
        self.epsilon = float(config.rms_norm_eps)
        self.embedding = core.embed_tokens.weight.detach()
        self.device, self.dtype = self.embedding.device, self.embedding.dtype
        self._floor = self._norm_floor(int(config.hidden_size))
        self.compiled = _compiled() if self.device.type == "cpu" and self.dtype == torch.float32 else None
        """A step's attention as one compiled function, where it is one."""
        self.head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.weight_bytes = 0
        """Bytes that a step reads, whatever the number of rows: all weights but the embedding."""
        self.blocks = [self._block(layer) for layer in core.layers]
        self.head = self._product(model.get_output_embeddings().weight[outputs], norm=core.norm.weight)
        self.bias: Tensor | None = None
        """Added to the logits, if set: [outputs]."""
        positions = torch.arange(context, device=self.device)[None]
        cos, sin = core.rotary_emb(torch.zeros((), device=self.device), positions)
        half = self.head_dim // 2
        self._nothing = Prefix((), self.allocate(1, 0)[:, 0])
        # rotate_half(x) * sin, as a rotation of x by half its length: the sign goes into the table
        self.cos = cos[0].to(self.dtype)
        self.sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1).to(self.dtype)
        if self.compiled is not None:
            self._compile(self.compiled)

    def _compile(self, attention: type[CompiledAttention]) -> None:
        """Now, while models are loaded: the first request is not to wait for it, nor its ledger to count it."""
        block, prefix = self.allocate(2, 1), Prefix((0,), self.allocate(1, 1)[:, 0])
        places = torch.zeros(2, 1, dtype=torch.long)
        layer = attention([Group(0, 1, prefix)], block, places, (self.cos, self.sin))
        layer(0, torch.zeros(1, self.heads + 2 * self.kv_heads, self.head_dim))
        self.copy(block, [(0, 1, 0, 1)])

    @property
    def bytes_per_token(self) -> int:
        """Bytes of the keys and values of one token of one row."""
        values = self.layers * 2 * self.kv_heads * self.head_dim
        return int(values * self.embedding.element_size())

    def allocate(self, rows: int, columns: int) -> Tensor:
        """Room for keys and values: [layers, rows, 2, kv_heads, columns, head_dim].

        Zeros: what is masked has no weight, but no weight times not-a-number would still be one.
        """
        shape = (self.layers, rows, 2, self.kv_heads, columns, self.head_dim)
        return torch.zeros(shape, device=self.device, dtype=self.dtype)

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """Keys and values of a prompt's first tokens, computed once for however many rows."""
        block = self.allocate(1, len(tokens))
        self.read(self._nothing, block, 0, 0, torch.tensor(list(tokens), device=self.device))
        return Prefix(tuple(tokens), block[:, 0])

    def copy(self, block: Tensor, moves: Sequence[tuple[int, int, int, int]]) -> None:
        """(source, slot, start, end) of columns of ``block`` that are copied from slot to slot, none of which is both."""
        if self.compiled is not None:
            from llasa_core.lm.cpu.copies import copy_columns

            copy_columns(block, moves)
            return
        for source, slot, start, end in moves:
            block[:, slot, :, :, start:end] = block[:, source, :, :, start:end]

    def read(self, prefix: Prefix, block: Tensor, slot: int, start: int, tokens: Tensor) -> None:
        """Compute keys and values of ``tokens`` [time] into columns ``start`` and after of one slot of ``block``.

        They stand behind ``prefix`` and the columns before them.
        """
        attention = self._reading(prefix, block, slot, start, len(tokens))
        hidden = self.embedding[tokens]
        for index, weights in enumerate(self.blocks):
            mixed = attention(index, self._project(hidden, weights))
            if index < self.layers - 1:  # nothing is said after a prompt's last token but one
                hidden = self._finish(hidden, mixed, weights)

    def _reading(self, prefix: Prefix, block: Tensor, slot: int, start: int, count: int) -> Attention:
        """The attention of `read`. What a row has said is read as it was said, to the last bit."""
        tables = self.cos, self.sin
        if self.compiled is None or not len(prefix):
            return TorchReading(prefix, block, slot, start, count, tables)
        columns = torch.arange(start, start + count)
        places, slots = torch.stack([columns + len(prefix), columns]), torch.full((count,), slot)
        return self.compiled([Group(0, count, prefix)], block, places, tables, slots)

    def step(
        self,
        groups: Sequence[Group],
        block: Tensor,
        tokens: Tensor,
        places: Tensor,
        columns: int,
        abreast: bool = False,
    ) -> Tensor:
        """Run one token of each of the first rows of ``block``: float32 logits [rows, outputs].

        ``groups`` say which rows share which prefix, in order and without a gap. ``tokens``: int64 [rows];
        ``places``: int64 [2, rows], the position of each token in its text and its column in ``block``; ``columns``:
        more than every one of those. ``abreast``: all rows stand at the last of them, so that none has to be masked
        and all write at the same place. Nothing is waited for.
        """
        attention = self._attention(groups, block, places, columns, abreast)
        hidden = self.embedding.index_select(0, tokens)
        for index, weights in enumerate(self.blocks):
            hidden = self._finish(hidden, attention(index, self._project(hidden, weights)), weights)
        return self.logits(hidden)

    def _attention(
        self, groups: Sequence[Group], block: Tensor, places: Tensor, columns: int, abreast: bool
    ) -> Attention:
        """The attention of `step`."""
        tables = self.cos, self.sin
        if self.compiled is None:
            return TorchAttention(groups, block, places, tables, columns, abreast)
        return self.compiled(groups, block, places, tables)

    def logits(self, hidden: Tensor) -> Tensor:
        """Last layer's states [rows, hidden] -> float32 logits [rows, outputs]."""
        logits = self.head(self._normed(hidden)).float()
        return logits if self.bias is None else logits + self.bias

    def _project(self, hidden: Tensor, weights: Block) -> Tensor:
        """[rows, hidden] -> queries, keys and values, one after the other: [rows, heads + 2 * kv_heads, dim]."""
        return weights.qkv(self._normed(hidden)).view(len(hidden), -1, self.head_dim)

    def _finish(self, hidden: Tensor, mixed: Tensor, weights: Block) -> Tensor:
        """What a layer does after its attention: [rows, hidden] of both -> [rows, hidden]."""
        hidden = weights.o(mixed, hidden)
        gate, up = weights.gate_up(self._normed(hidden)).chunk(2, -1)
        return weights.down(F.silu(gate).mul_(up), hidden)

    def _block(self, layer: Any) -> Block:
        attention, mlp = layer.self_attn, layer.mlp
        return Block(
            qkv=self._product(
                attention.q_proj.weight,
                attention.k_proj.weight,
                attention.v_proj.weight,
                norm=layer.input_layernorm.weight,
            ),
            o=self._added(attention.o_proj.weight),
            gate_up=self._product(
                mlp.gate_proj.weight, mlp.up_proj.weight, norm=layer.post_attention_layernorm.weight
            ),
            down=self._added(mlp.down_proj.weight),
        )

    def _norm_floor(self, width: int) -> Tensor | None:
        """What the length of a state is no smaller than; None where ``rms_norm`` is one operation."""
        plain = self.device.type == "cpu" and self.dtype == torch.float32
        return torch.tensor(math.sqrt(width * self.epsilon)) if plain else None

    def _normed(self, hidden: Tensor) -> Tensor:
        """[rows, hidden] of one length; where there is a floor it is 1, and the weights behind it make up for it."""
        if self._floor is None:
            return F.rms_norm(hidden, (hidden.shape[-1],), None, self.epsilon)
        # the same in three operations, where rms_norm of a CPU takes seven
        length: Tensor = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return hidden / length.hypot_(self._floor)

    def _packed(self, *weights: Tensor, norm: Tensor | None = None) -> tuple[Tensor, bool]:
        """Matrices [out, in] on top of each other, behind the weight of a norm; whether oneDNN has laid them out."""
        weight = torch.cat([w.detach() for w in weights]) if len(weights) > 1 else weights[0].detach()
        if norm is not None:
            weight = weight * (norm.detach() if self._floor is None else norm.detach() * math.sqrt(len(norm)))
        self.weight_bytes += weight.numel() * weight.element_size()
        if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            # laid out once as oneDNN reads it: 1.4 times faster for one row in float32, 3 times for 64
            return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), True
        return weight, False

    def _product(self, *weights: Tensor, norm: Tensor | None = None) -> Product:
        weight, packed = self._packed(*weights, norm=norm)
        if packed:
            return partial(_packed_product, torch.ops.mkldnn._linear_pointwise.default, weight)
        return partial(_product, weight)

    def _added(self, weights: Tensor) -> Added:
        weight, packed = self._packed(weights)
        if packed:
            return partial(_packed_added, torch.ops.mkldnn._linear_pointwise.binary, weight)
        return partial(_added, weight)


def _compiled() -> type[CompiledAttention]:
    # not imported before it is needed: a GPU does without the compiler
    from llasa_core.lm.cpu.attention import CompiledAttention

    return CompiledAttention


def _product(weight: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight)


def _added(weight: Tensor, x: Tensor, other: Tensor) -> Tensor:
    return other + F.linear(x, weight)


def _packed_product(operator: Callable[..., Tensor], weight: Tensor, x: Tensor) -> Tensor:
    if _lonely(x):
        return operator(x.repeat(2, 1), weight, None, "none", [], "")[:1]
    return operator(x, weight, None, "none", [], "")


def _packed_added(operator: Callable[..., Tensor], weight: Tensor, x: Tensor, other: Tensor) -> Tensor:
    if _lonely(x):
        return operator(x.repeat(2, 1), other.repeat(2, 1), weight, None, "add")[:1]
    return operator(x, other, weight, None, "add")


def _lonely(x: Tensor) -> bool:
    """Whether oneDNN would sum this row [1, in] in another order than it does in company, and no faster."""
    return len(x) == 1 and x.shape[1] >= LONELY
