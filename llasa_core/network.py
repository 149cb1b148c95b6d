"""The Llama network of a Llasa model, written for decoding: fused weights, keys and values in one block of memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from llasa_core.attention import attend, merged
from llasa_core.errors import UserError

Product = Callable[[Tensor], Tensor]
"""A product with weight matrices: [rows, in] -> [rows, out]."""
Added = Callable[[Tensor, Tensor], Tensor]
"""The same, added to what is given second: [rows, in], [rows, out] -> [rows, out]."""
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Those whose angles depend on the position alone."""


@dataclass(frozen=True, slots=True)
class Block:
    """The weights of one layer; those of its norms are in the matrices behind them."""

    qkv: Product
    o: Added
    gate_up: Product
    down: Added


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first tokens of a prompt and their keys and values, [layers, 2, kv_heads, tokens, head_dim]."""

    tokens: tuple[int, ...]
    block: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def layers(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Keys and values of each layer, [1, kv_heads, tokens, head_dim] both."""
        return tuple((layer[:1], layer[1:]) for layer in self.block.unbind(0))


@dataclass(frozen=True, slots=True)
class Group:
    """Rows ``first`` .. ``last - 1`` stand behind one prefix."""

    first: int
    last: int
    prefix: Prefix


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
        # rotate_half(x) * sin, as a rotation of x by half its length: the sign goes into the table
        self.cos = cos[0].to(self.dtype)
        self.sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1).to(self.dtype)

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
        self.read(None, block, 0, 0, torch.tensor(list(tokens), device=self.device))
        return Prefix(tuple(tokens), block[:, 0])

    def read(self, prefix: Prefix | None, block: Tensor, row: int, start: int, tokens: Tensor) -> None:
        """Compute keys and values of ``tokens`` [time] into columns ``start`` and after of one row of ``block``.

        They stand behind ``prefix`` and the columns before them.
        """
        count, known = len(tokens), 0 if prefix is None else len(prefix)
        end = start + count
        places = torch.arange(known + start, known + end, device=self.device)
        cos, sin = self.cos[places, None], self.sin[places, None]
        seen = torch.arange(known + end, device=self.device) <= places[:, None]
        hidden = self.embedding[tokens]
        for index, weights in enumerate(self.blocks):
            queries, keys, values = self._project(hidden, weights, cos, sin)
            own = block[index, row]
            own[0, :, start:end] = keys.transpose(0, 1)
            own[1, :, start:end] = values.transpose(0, 1)
            if index == self.layers - 1:
                return  # nothing is said after a prompt's last token but one
            both = own[:, :, :end] if prefix is None else torch.cat([prefix.block[index], own[:, :, :end]], 2)
            mixed = F.scaled_dot_product_attention(
                queries.transpose(0, 1)[None],
                both[None, 0],
                both[None, 1],
                attn_mask=None if known + start == 0 else seen,
                is_causal=known + start == 0,
                enable_gqa=self.heads != self.kv_heads,
            )
            hidden = self._finish(hidden, mixed[0].transpose(0, 1).reshape(count, -1), weights)

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
        count = len(tokens)
        position, column = places
        cos, sin = (table.index_select(0, position).unsqueeze(1) for table in (self.cos, self.sin))
        mask = None if abreast else self._mask(column, columns)
        rows = None if abreast else torch.arange(count, device=self.device)
        # the views of all layers at once: one by one they would take a tenth of the time of a small model
        known = block[:, :count]
        all_keys, all_values = known[:, :, 0, :, :columns].unbind(0), known[:, :, 1, :, :columns].unbind(0)
        key_places, value_places = known[:, :, :, :, columns - 1].unbind(2)
        hidden = self.embedding.index_select(0, tokens)
        for index, weights in enumerate(self.blocks):
            queries, keys, values = self._project(hidden, weights, cos, sin)
            if abreast:
                key_places[index].copy_(keys)
                value_places[index].copy_(values)
            else:
                known[index][rows, :, :, column] = torch.stack([keys, values], 1)
            # the queries that share a key stand side by side, as if they were several times
            queries = queries.view(count, self.kv_heads, -1, self.head_dim)
            own = attend(queries, all_keys[index], all_values[index], mask)
            if len(groups) == 1:
                shared = self._shared(queries, groups[0].prefix, index)
            else:
                parts = [self._shared(queries[g.first : g.last], g.prefix, index) for g in groups]
                mixed, totals = (torch.cat(some) for some in zip(*parts, strict=True))
                shared = mixed, totals
            hidden = self._finish(hidden, merged(shared, own).reshape(count, -1), weights)
        return self.logits(hidden)

    def _mask(self, column: Tensor, columns: int) -> Tensor:
        """[rows, 1, 1, columns] to be added to the scores: nothing behind a row's own column is looked at."""
        beyond = torch.arange(columns, device=self.device) > column[:, None]
        mask = torch.zeros(beyond.shape, device=self.device, dtype=self.dtype)
        return mask.masked_fill_(beyond, -torch.inf)[:, None, None]

    def _shared(self, queries: Tensor, prefix: Prefix, layer: int) -> tuple[Tensor, Tensor]:
        """Attention of rows [rows, kv_heads, n, dim] to a prefix, whose keys and values are read once for all."""
        rows, heads, n, dim = queries.shape
        if rows == 1:
            return attend(queries, *prefix.layers[layer])
        together = queries.transpose(0, 1).reshape(1, heads, rows * n, dim)
        mixed, total = attend(together, *prefix.layers[layer])
        return mixed.view(heads, rows, n, dim).transpose(0, 1), total.view(heads, rows, n).transpose(0, 1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Last layer's states [rows, hidden] -> float32 logits [rows, outputs]."""
        logits = self.head(self._normed(hidden)).float()
        return logits if self.bias is None else logits + self.bias

    def _project(
        self, hidden: Tensor, weights: Block, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[rows, hidden] -> queries [rows, heads, dim], keys and values [rows, kv_heads, dim]; positions applied."""
        states = weights.qkv(self._normed(hidden)).view(len(hidden), -1, self.head_dim)
        turned, values = states[:, : -self.kv_heads], states[:, -self.kv_heads :]
        turned = torch.addcmul(turned * cos, turned.roll(self.head_dim // 2, -1), sin)
        return turned[:, : self.heads], turned[:, self.heads :], values

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


def _product(weight: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight)


def _added(weight: Tensor, x: Tensor, other: Tensor) -> Tensor:
    return other + F.linear(x, weight)


def _packed_product(operator: Callable[..., Tensor], weight: Tensor, x: Tensor) -> Tensor:
    return operator(x, weight, None, "none", [], "")


def _packed_added(operator: Callable[..., Tensor], weight: Tensor, x: Tensor, other: Tensor) -> Tensor:
    return operator(x, other, weight, None, "add")
