"""The Llama network of a Llasa model for decoding: fused weights, and one block for all keys and values."""

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
from llasa_core.lm.attention import Span, TorchAttention, TorchPrefillAttention
from llasa_core.lm.gpu_kernels import GpuKernels
from llasa_core.lm.prefix import Group, Prefix

if TYPE_CHECKING:
    from llasa_core.lm.cpu.attention import CompiledAttention

Linear = Callable[[Tensor], Tensor]
"""Product with a weight matrix: [rows, in] -> [rows, out]."""
ResidualLinear = Callable[[Tensor, Tensor], Tensor]
"""Product with a weight matrix, added to the second argument: [rows, in], [rows, out] -> [rows, out]."""
Attention = Callable[[int, Tensor], Tensor]
"""Layer, and queries, keys and values [rows, heads + 2 * kv_heads, dim] -> [rows, heads * dim]."""
ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Kinds of rope scaling in which the angles depend on the position alone."""

ALIGNED_OUTPUTS = 64
"""On a GPU the output matrix has a multiple of so many rows, for which products are fastest."""
PADDED_INPUTS = 1024
"""Input width from which a batch of one is padded to two rows. From 2,048 inputs (not at 1,024) oneDNN 3.12
sums a single row in another order, so its result would differ from the batched one."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The products of one layer. The weights of its norms are folded into the matrices that follow them."""

    qkv: Linear
    o: ResidualLinear
    gate_up: Linear
    down: ResidualLinear


class Network:
    """The weights of a ``LlamaForCausalLM``, and its forward pass over blocks of keys and values.

    Llasa's kind of Llama: grouped queries, rope scaling that does not depend on the length, no biases. Logits
    equal those of ``transformers`` within 1e-4 in float32.
    """

    def __init__(
        self,
        model: Any,
        outputs: Tensor,
        context: int,
        device: torch.device | None = None,
        kernels: GpuKernels | None = None,
    ) -> None:
        """``outputs``: int64 [outputs], token ids whose logits are computed. ``context``: in tokens.
        ``device``: where it runs, by default where the model is; of a model elsewhere a matrix at a time is
        moved. ``kernels``: those that it may use on a GPU.

        Raises UserError for a Llama of another kind.
        """
        config, core = model.config, model.base_model
        rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
        if config.attention_bias or config.mlp_bias or config.hidden_act != "silu" or rope not in ROPE_TYPES:
            raise UserError(
                f"this Llama has biases, another activation than silu or rope scaling of the kind {rope}, "
                "which no Llasa has: give a Llasa model such as HKUSTAudio/Llasa-1B"
            )
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.layers = len(core.layers)
        self.epsilon = float(config.rms_norm_eps)
        self.embedding = core.embed_tokens.weight.detach().to(device)
        self.device, self.dtype = self.embedding.device, self.embedding.dtype
        plain = self.device.type == "cpu" and self.dtype == torch.float32
        self._norm_floor = torch.tensor(math.sqrt(config.hidden_size * self.epsilon)) if plain else None
        """sqrt(hidden * epsilon) where norms are computed as L2 norms; None where rms_norm is one kernel."""
        self.compiled = _compiled_attention() if plain else None
        """Attention as one compiled function: for float32 on a CPU."""
        self.kernels = None if kernels is None else kernels.attention
        """Attention as two kernels of Triton: on a GPU, if they can be had."""
        self.gated: Callable[[Tensor], Tensor] = silu_mul if kernels is None else kernels.silu_mul
        """The activation of a layer, as `silu_mul`."""
        self.head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.weight_bytes = 0
        """Bytes of weights that a step reads for any number of rows: all but the embedding."""
        self._layers = [self._layer(layer) for layer in core.layers]
        self._outputs = len(outputs)
        surplus = -len(outputs) % outputs_multiple(self.device)
        head = model.get_output_embeddings().weight[torch.cat([outputs, outputs[:surplus]])]
        self.head = self._linear(head, norm=core.norm.weight)
        self.bias: Tensor | None = None
        """Added to the logits if set: [outputs]."""
        where = core.embed_tokens.weight.device
        positions = torch.arange(context, device=where)[None]
        cos, sin = core.rotary_emb(torch.zeros((), device=where), positions)
        half = self.head_dim // 2
        self._empty = Prefix((), self.allocate(1, 0).select(1, 0))
        # rotate_half(x) * sin is computed as roll(x, half) * sin, with the sign in the table
        self.cos = cos[0].to(self.device, self.dtype)
        self.sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1).to(self.device, self.dtype)
        if self.compiled is not None:
            self._compile(self.compiled)

    def _compile(self, attention: type[CompiledAttention]) -> None:
        """Compile while models are loaded, so that the first request neither waits nor counts it."""
        block, prefix = self.allocate(2, 1), Prefix((0,), self.allocate(1, 1)[:, 0])
        positions = torch.zeros(2, 1, dtype=torch.long)
        attend = attention([Group(0, 1, prefix)], block, positions, (self.cos, self.sin))
        attend(0, torch.zeros(1, self.heads + 2 * self.kv_heads, self.head_dim))
        self.copy(block, [(0, 1, 0, 1)])

    @property
    def bytes_per_token(self) -> int:
        """Bytes of the keys and values of one token of one sequence."""
        values = self.layers * 2 * self.kv_heads * self.head_dim
        return int(values * self.embedding.element_size())

    def allocate(self, rows: int, columns: int) -> Tensor:
        """Memory for keys and values: [layers, rows, 2, kv_heads, columns, head_dim].

        It is zeroed, since a masked weight of zero times a random not-a-number would be not a number.
        """
        shape = (self.layers, rows, 2, self.kv_heads, columns, self.head_dim)
        return torch.zeros(shape, device=self.device, dtype=self.dtype)

    def prefix(self, tokens: Sequence[int]) -> Prefix:
        """Keys and values of the first tokens of a prompt, to be shared by any number of sequences."""
        block = self.allocate(1, len(tokens))
        self.prefill(
            self._empty, block, [(0, 0, len(tokens))], torch.tensor(list(tokens), device=self.device)
        )
        return Prefix(tuple(tokens), block[:, 0])

    def copy(self, block: Tensor, moves: Sequence[tuple[int, int, int, int]]) -> None:
        """Copy columns from slot to slot: (source, slot, start, end). No slot is both source and target."""
        if self.compiled is not None:
            from llasa_core.lm.cpu.copies import copy_columns

            copy_columns(block, moves)
            return
        for source, slot, start, end in moves:
            block[:, slot, :, :, start:end] = block[:, source, :, :, start:end]

    def prefill(self, prefix: Prefix, block: Tensor, spans: Sequence[Span], tokens: Tensor) -> None:
        """Compute keys and values of the tokens of texts into their slots of ``block``.

        ``spans``: of each text its slot, the column of its first token, and how many there are. ``tokens``:
        int64 [time], those of all texts in this order. They follow ``prefix`` and the columns before them.
        """
        attention = self._prefill_attention(prefix, block, spans)
        hidden = self.embedding[tokens]
        for index, layer in enumerate(self._layers):
            mixed = attention(index, self._project(hidden, layer))
            if (
                index < self.layers - 1
            ):  # the last layer's output is not needed: no token is sampled at these positions
                hidden = self._finish(hidden, mixed, layer)

    def teacher_force(self, prefix: Prefix, block: Tensor, spans: Sequence[Span], tokens: Tensor) -> Tensor:
        """As `prefill`, with the last layer's output at every token: hidden states [time, hidden]."""
        attention = self._prefill_attention(prefix, block, spans)
        hidden: Tensor = self.embedding[tokens]
        for index, layer in enumerate(self._layers):
            hidden = self._finish(hidden, attention(index, self._project(hidden, layer)), layer)
        return hidden

    def _prefill_attention(self, prefix: Prefix, block: Tensor, spans: Sequence[Span]) -> Attention:
        """The attention of `prefill`. If it is compiled, tokens get the numbers that `step` gave them."""
        tables = self.cos, self.sin
        if self.compiled is None or not len(prefix):
            return TorchPrefillAttention(prefix, block, spans, tables)
        columns = torch.cat([torch.arange(start, start + count) for _, start, count in spans])
        slots = torch.cat([torch.full((count,), slot) for slot, _, count in spans])
        positions = torch.stack([columns + len(prefix), columns])
        return self.compiled([Group(0, len(columns), prefix)], block, positions, tables, slots)

    def step(
        self,
        groups: Sequence[Group],
        block: Tensor,
        tokens: Tensor,
        positions: Tensor,
        columns: int,
        aligned: bool = False,
        tiles: Tensor | None = None,
    ) -> Tensor:
        """Run one token of each row, in the first slots of ``block``: float32 logits [rows, outputs].

        ``groups``: the rows of each prefix, in order and without a gap. ``tokens``: int64 [rows].
        ``positions``: int64 [2, rows], the position of each token in its text and its column in ``block``.
        ``columns``: how many columns attention reads, more than any token's own column. ``aligned``: every
        token is in the last of these columns, so that no mask is needed. ``tiles``: those of `tiles` for the
        groups; with them neither groups nor columns are looked at. The device is not waited for.
        """
        attention = self._attention(groups, block, positions, columns, aligned, tiles)
        hidden = self.embedding.index_select(0, tokens)
        for index, layer in enumerate(self._layers):
            hidden = self._finish(hidden, attention(index, self._project(hidden, layer)), layer)
        return self.logits(hidden)

    def tiles(self, groups: Sequence[Group], rows: int) -> Tensor | None:
        """On the host, int64 [rows, 4]: what `TritonAttention` reads about the groups; None where it does not
        run."""
        if self.kernels is None:
            return None
        from llasa_core.lm.cuda.attention import tile_table

        return tile_table(groups, rows, self.heads // self.kv_heads)

    def _attention(
        self,
        groups: Sequence[Group],
        block: Tensor,
        positions: Tensor,
        columns: int,
        aligned: bool,
        tiles: Tensor | None,
    ) -> Attention:
        """The attention of `step`."""
        tables = self.cos, self.sin
        if self.kernels is not None and tiles is not None:
            return self.kernels(tiles, block, positions, tables, self.heads // self.kv_heads)
        if self.compiled is None:
            return TorchAttention(groups, block, positions, tables, columns, aligned)
        return self.compiled(groups, block, positions, tables)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states of the last layer [rows, hidden] -> float32 logits [rows, outputs]."""
        logits = self.head(self._normed(hidden))[:, : self._outputs].float()
        return logits if self.bias is None else logits + self.bias

    def _project(self, hidden: Tensor, layer: Layer) -> Tensor:
        """[rows, hidden] -> queries, keys and values [rows, heads + 2 * kv_heads, dim]."""
        return layer.qkv(self._normed(hidden)).view(len(hidden), -1, self.head_dim)

    def _finish(self, hidden: Tensor, mixed: Tensor, layer: Layer) -> Tensor:
        """The rest of a layer, from its input [rows, hidden] and its attention [rows, heads * dim]."""
        hidden = layer.o(mixed, hidden)
        return layer.down(self.gated(layer.gate_up(self._normed(hidden))), hidden)

    def _layer(self, layer: Any) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        return Layer(
            qkv=self._linear(
                attention.q_proj.weight,
                attention.k_proj.weight,
                attention.v_proj.weight,
                norm=layer.input_layernorm.weight,
            ),
            o=self._residual_linear(attention.o_proj.weight),
            gate_up=self._linear(
                mlp.gate_proj.weight, mlp.up_proj.weight, norm=layer.post_attention_layernorm.weight
            ),
            down=self._residual_linear(mlp.down_proj.weight),
        )

    def _normed(self, hidden: Tensor) -> Tensor:
        """RMS-normalised hidden states [rows, hidden], without the weight of the norm.

        On the CPU path the result has unit L2 norm; the factor sqrt(hidden) is folded into the next matrix.
        """
        if self._norm_floor is None:
            return F.rms_norm(hidden, (hidden.shape[-1],), None, self.epsilon)
        # three operations, where rms_norm takes seven on a CPU
        length: Tensor = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return hidden / length.hypot_(self._norm_floor)

    def _packed(self, *weights: Tensor, norm: Tensor | None = None) -> tuple[Tensor, bool]:
        """Concatenated matrices [out, in], scaled by the weight of a norm; whether oneDNN packed them."""
        moved = [w.detach().to(self.device) for w in weights]
        weight = torch.cat(moved) if len(moved) > 1 else moved[0]
        if norm is not None:
            scale = norm.detach().to(self.device)
            scale = scale if self._norm_floor is None else scale * math.sqrt(len(norm))
            weight = weight * scale
        self.weight_bytes += weight.numel() * weight.element_size()
        if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            # packed once for oneDNN: 1.4 times faster for one row in float32, 3 times for 64
            return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), True
        return weight, False

    def _linear(self, *weights: Tensor, norm: Tensor | None = None) -> Linear:
        weight, packed = self._packed(*weights, norm=norm)
        if packed:
            return partial(_packed_linear, torch.ops.mkldnn._linear_pointwise.default, weight)
        return partial(_linear, weight)

    def _residual_linear(self, weights: Tensor) -> ResidualLinear:
        weight, packed = self._packed(weights)
        if packed:
            return partial(_packed_residual_linear, torch.ops.mkldnn._linear_pointwise.binary, weight)
        return partial(_residual_linear, weight)


def silu_mul(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of the two halves of each row: [rows, 2 * width] -> [rows, width]."""
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate).mul_(up)


def _compiled_attention() -> type[CompiledAttention]:
    # imported only where it is needed: a GPU does without the compiler
    from llasa_core.lm.cpu.attention import CompiledAttention

    return CompiledAttention


def outputs_multiple(device: torch.device) -> int:
    """The output matrix has a multiple of so many rows."""
    return 1 if device.type == "cpu" else ALIGNED_OUTPUTS


def _linear(weight: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight)


def _residual_linear(weight: Tensor, x: Tensor, residual: Tensor) -> Tensor:
    return torch.addmm(residual, x, weight.mT)


def _packed_linear(operator: Callable[..., Tensor], weight: Tensor, x: Tensor) -> Tensor:
    if _needs_padding(x):
        return operator(x.repeat(2, 1), weight, None, "none", [], "")[:1]
    return operator(x, weight, None, "none", [], "")


def _packed_residual_linear(
    operator: Callable[..., Tensor], weight: Tensor, x: Tensor, residual: Tensor
) -> Tensor:
    if _needs_padding(x):
        return operator(x.repeat(2, 1), residual.repeat(2, 1), weight, None, "add")[:1]
    return operator(x, residual, weight, None, "add")


def _needs_padding(x: Tensor) -> bool:
    """Whether oneDNN might sum this single row [1, in] in another order than it sums the rows of a batch."""
    return len(x) == 1 and x.shape[1] >= PADDED_INPUTS
