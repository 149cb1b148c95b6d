"""The attention of a decoding step as two Triton kernels over the layout of the KV cache and of prefixes.

All that differs from step to step is read on the device: which rows share which prefix, where that lies and
how long it is, and each row's column. So one recording of a step serves any requests.

Per layer: `attend_to_prefixes` computes the attention of tiles of rows to their prefix, several tiles and
parts of a prefix at a time. `attend_to_own` turns and writes the row's new key and value, and goes on with
the row's own columns from where the prefix left off (the online softmax of FlashAttention).

Dot products are of values rounded to the model's precision, with sums in float32. TRITON_INTERPRET=1, set
before this is imported, runs the kernels on a CPU.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Triton's types are not Python's.

from __future__ import annotations

import triton
import triton.language as tl

NOTHING = -1.0e30
"""The log-sum-exp of no keys; not minus infinity, whose difference with itself is not a number."""
LOWEST = tl.constexpr(NOTHING)


@triton.jit
def _turned(states, cos, sin, offset, position, ok, D: tl.constexpr):
    """Queries or keys with their rotary embedding, float32 [n, D]; offset, position, ok: [n]."""
    d = tl.arange(0, D)
    straight = tl.load(states + offset[:, None] + d[None, :], ok[:, None], 0.0).to(tl.float32)
    across = tl.load(states + offset[:, None] + ((d + D // 2) % D)[None, :], ok[:, None], 0.0).to(tl.float32)
    at = position[:, None] * D + d[None, :]
    c = tl.load(cos + at, ok[:, None], 0.0).to(tl.float32)
    s = tl.load(sin + at, ok[:, None], 0.0).to(tl.float32)
    return straight * c + across * s


@triton.jit
def _more(
    queries,
    keys,
    values,
    first,
    last,
    m,
    total,
    mixed,
    D: tl.constexpr,
    BLOCK: tl.constexpr,
    SCALE: tl.constexpr,
    DOT: tl.constexpr,
):
    """The online softmax goes on over the keys ``first`` .. ``last`` - 1: largest score [n], sum of weights
    [n], weighted values [n, D]."""
    d = tl.arange(0, D)
    for begin in range(first, last, BLOCK):
        t = begin + tl.arange(0, BLOCK)
        known = t < last
        at = t[:, None] * D + d[None, :]
        k = tl.load(keys + at, known[:, None], 0.0).to(DOT)
        scores = tl.dot(queries, tl.trans(k), input_precision="ieee") * SCALE
        scores = tl.where(known[None, :], scores, LOWEST)
        largest = tl.maximum(m, tl.max(scores, 1))
        weights = tl.where(known[None, :], tl.exp(scores - largest[:, None]), 0.0)
        shrunk = tl.exp(m - largest)
        v = tl.load(values + at, known[:, None], 0.0)
        weighted = tl.dot(weights.to(v.dtype).to(DOT), v.to(DOT), input_precision="ieee")
        mixed = mixed * shrunk[:, None] + weighted
        total = total * shrunk + tl.sum(weights, 1)
        m = largest
    return m, total, mixed


@triton.jit(do_not_specialize=["layer", "rows"])
def attend_to_prefixes(
    states,
    cos,
    sin,
    positions,
    tiles,
    out,
    lse,
    layer,
    rows,
    KV: tl.constexpr,
    SHARING: tl.constexpr,
    PADDED: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    SCALE: tl.constexpr,
    KEYS: tl.constexpr,
    DOT: tl.constexpr,
):
    """One tile of rows, one head of keys, one part of the prefix.

    states [rows, heads + 2 * KV, D]; positions int64 [2, rows]; tiles int64 [tiles, 4]: first row,
    rows (0: an unused tile), address of the prefix's block [layers, 2, KV, tokens, D], tokens. Results,
    float32: out [parts, rows, heads, D], lse [parts, rows, heads]. SHARING: queries of a head of keys,
    padded to PADDED.
    """
    tile, kv, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    first, count = tl.load(tiles + tile * 4), tl.load(tiles + tile * 4 + 1)
    tokens = tl.load(tiles + tile * 4 + 3)
    if count > 0:
        i = tl.arange(0, ROWS * PADDED)
        row, query = first + i // PADDED, i % PADDED
        ok = (i // PADDED < count) & (query < SHARING)
        heads = KV * SHARING
        head = kv * SHARING + query
        position = tl.load(positions + row, ok, 0)
        queries = _turned(states, cos, sin, (row * (heads + 2 * KV) + head) * D, position, ok, D)
        queries = queries.to(KEYS).to(DOT)
        block = tl.load(tiles + tile * 4 + 2).to(tl.pointer_type(KEYS))
        keys = block + (layer * 2 * KV + kv) * tokens * D
        each = tl.cdiv(tl.cdiv(tokens, tl.num_programs(2)), BLOCK) * BLOCK
        begin = part * each
        end = tl.minimum(begin + each, tokens)
        m = tl.full((ROWS * PADDED,), LOWEST, tl.float32)
        total = tl.zeros((ROWS * PADDED,), tl.float32)
        mixed = tl.zeros((ROWS * PADDED, D), tl.float32)
        m, total, mixed = _more(
            queries, keys, keys + KV * tokens * D, begin, end, m, total, mixed, D, BLOCK, SCALE, DOT
        )
        some = total > 0  # a part may have no keys
        scale = tl.where(some, total, 1.0)
        at = (part * rows + row) * heads + head
        tl.store(out + at[:, None] * D + tl.arange(0, D)[None, :], mixed / scale[:, None], ok[:, None])
        tl.store(lse + at, tl.where(some, m + tl.log(scale), LOWEST), ok)


@triton.jit(do_not_specialize=["rows"])
def attend_to_own(
    states,
    cos,
    sin,
    positions,
    block,
    out,
    lse,
    result,
    row_stride,
    columns,
    rows,
    KV: tl.constexpr,
    SHARING: tl.constexpr,
    PADDED: tl.constexpr,
    D: tl.constexpr,
    PARTS: tl.constexpr,
    BLOCK: tl.constexpr,
    SCALE: tl.constexpr,
    KEYS: tl.constexpr,
    DOT: tl.constexpr,
):
    """One row and one head of keys: writes its new key and value into block [rows, 2, KV, columns, D], and
    its attention into result [rows, heads, D]. The other arguments are as in `attend_to_prefixes`."""
    row, kv = tl.program_id(0).to(tl.int64), tl.program_id(1)
    position, column = tl.load(positions + row), tl.load(positions + rows + row)
    d, i = tl.arange(0, D), tl.arange(0, PADDED)
    ok = i < SHARING
    heads = KV * SHARING
    head = kv * SHARING + i
    base = row * (heads + 2 * KV) * D
    keys = block + row * row_stride + kv * columns * D
    values = keys + KV * columns * D
    at = position + tl.zeros((PADDED,), tl.int64)
    queries = _turned(states, cos, sin, base + head * D, at, ok, D).to(KEYS)
    # the new key in all rows of a tile, so that it is turned as the queries are
    key = _turned(states, cos, sin, base + (heads + kv + 0 * i) * D, at, i >= 0, D).to(KEYS)
    value = tl.load(states + base + (heads + KV + kv) * D + d)
    only = (i == 0)[:, None]
    tl.store(keys + column * D + d[None, :] + 0 * i[:, None], key, only)
    tl.store(values + column * D + d, value)
    # what the parts of the prefix gave, and this token itself
    m = tl.sum(queries.to(tl.float32) * key.to(tl.float32), 1) * SCALE
    total = tl.full((PADDED,), 1.0, tl.float32)
    mixed = tl.zeros((PADDED, D), tl.float32) + value.to(tl.float32)[None, :]
    for part in range(PARTS):
        where = (part * rows + row) * heads + head
        other = tl.load(lse + where, ok, LOWEST)
        share = tl.load(out + where[:, None] * D + d[None, :], ok[:, None], 0.0)
        largest = tl.maximum(m, other)
        kept, added = tl.exp(m - largest), tl.exp(other - largest)
        mixed = mixed * kept[:, None] + share * added[:, None]
        total = total * kept + added
        m = largest
    m, total, mixed = _more(queries.to(DOT), keys, values, 0, column, m, total, mixed, D, BLOCK, SCALE, DOT)
    tl.store(result + (row * heads + head)[:, None] * D + d[None, :], mixed / total[:, None], ok[:, None])
