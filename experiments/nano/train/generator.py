"""Training of the nano generator: a plain ``LlamaForCausalLM`` with aids that are dropped at export.

Without the aids a model this small speaks fluently and says other words; the gap between the loss with the
right and with a wrong text is the figure that tells (see ``validate``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.nano.data.documents import IGNORE, MAX_WORDS, Document, DocumentBuilder, Piece
from experiments.nano.train.batches import Batches, collate
from experiments.nano.train.recipe import Recipe
from experiments.nano.train.training import Muon, Schedule, train


class Guided(torch.nn.Module):
    """The Llama forward pass of training, written out, so that two heads' attention can be guided.

    Layer 1 also says which sound a letter has and which state a code is in; layer 3 which comes next.
    """

    def __init__(self, model: LlamaForCausalLM, recipe: Recipe, n_sounds: int, n_states: int) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        hidden = recipe.hidden
        digits = digits_of(recipe.levels)
        self.register_buffer("digits", digits, persistent=False)
        self.shared = torch.nn.Parameter(
            torch.randn(sum(recipe.levels), hidden) * model.config.initializer_range
        )
        self.sound = torch.nn.Linear(hidden, n_sounds + n_states)
        self.next_state = torch.nn.Linear(hidden, n_states)
        self.word = torch.nn.ModuleList([torch.nn.Linear(hidden, MAX_WORDS) for _ in range(2)])
        head_dim = hidden // recipe.heads
        inverse = 1.0 / (
            model.config.rope_parameters["rope_theta"] ** (torch.arange(0, head_dim, 2) / head_dim)
        )
        angles = (torch.arange(recipe.longest)[:, None] * inverse).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def table(self) -> torch.Tensor:
        """Embeddings of all tokens [vocabulary, hidden]: the speech codes come last, each with what its
        digits share."""
        own: torch.Tensor = self.model.model.embed_tokens.weight
        digits = self.get_buffer("digits")
        if not len(digits):
            return own
        shared = F.embedding_bag(digits, self.shared, mode="sum")
        return torch.cat([own[: -len(digits)], own[-len(digits) :] + shared])

    @torch.no_grad()
    def settle(self) -> None:
        """Puts what digits share into the embeddings of the model itself."""
        self.model.model.embed_tokens.weight.copy_(self.table())
        self.shared.zero_()

    def forward(
        self,
        ids: torch.Tensor,
        target: torch.Tensor,
        attend: torch.Tensor,
        sound: torch.Tensor,
        next_state: torch.Tensor,
        next_word: torch.Tensor,
        is_text: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """All [batch, time] (``attend`` [batch, 2, time]) -> token, guide and auxiliary losses."""
        heads = self.recipe.heads
        batch, time = ids.shape
        table = self.table()
        hidden = F.embedding(ids, table)
        head_dim = hidden.shape[-1] // heads
        cos, sin = (self.get_buffer(name)[:time].bfloat16() for name in ("cos", "sin"))
        future = torch.ones(time, time, dtype=torch.bool, device=ids.device).triu(1)
        guide, auxiliary = [], []
        for index, layer in enumerate(self.model.model.layers):
            x, attention = _rms(hidden, layer.input_layernorm.weight), layer.self_attn
            q, k, v = (
                project(x).view(batch, time, heads, head_dim).transpose(1, 2)
                for project in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
            if index in self.recipe.guided_layers:
                for head in (0, 1):
                    scores = (q[:, head] @ k[:, head].transpose(1, 2)).float() / math.sqrt(head_dim)
                    scores = scores.masked_fill(future, -1e4)
                    guide.append(_cross_entropy(scores, attend[:, head]))
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            hidden = hidden + attention.o_proj(mixed.transpose(1, 2).reshape(batch, time, -1))
            x, mlp = _rms(hidden, layer.post_attention_layernorm.weight), layer.mlp
            hidden = hidden + mlp.down_proj(F.silu(mlp.gate_proj(x)) * mlp.up_proj(x))
            if index == 1:
                auxiliary.append(_cross_entropy(self.sound(hidden), sound))
                auxiliary.append(
                    0.5 * _cross_entropy(self.word[0](hidden), torch.where(is_text, next_word, IGNORE))
                )
            if index == 3:
                auxiliary.append(_cross_entropy(self.next_state(hidden), next_state))
                auxiliary.append(
                    0.5 * _cross_entropy(self.word[1](hidden), torch.where(is_text, IGNORE, next_word))
                )
        logits = F.linear(_rms(hidden, self.model.model.norm.weight), table)
        return _cross_entropy(logits, target), torch.stack(guide).mean(), torch.stack(auxiliary).mean()


def digits_of(levels: Sequence[int]) -> torch.Tensor:
    """[codes, numbers]: for each code the places of its digits in one list of the digits of all numbers."""
    if not levels:
        return torch.zeros(0, 0, dtype=torch.int64)
    first = np.concatenate([[0], np.cumsum(levels)[:-1]])
    step = np.concatenate([[1], np.cumprod(levels)[:-1]])
    codes = np.arange(math.prod(levels))[:, None]
    return torch.from_numpy(codes // step % np.array(levels) + first)


def _rms(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=IGNORE)


def build_model(recipe: Recipe, documents: DocumentBuilder) -> LlamaForCausalLM:
    """A fresh model for the tokenizer of ``documents``."""
    torch.manual_seed(recipe.seed)
    tokenizer = documents.tokenizer
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden,
            intermediate_size=recipe.inner,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=recipe.longest,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def text_gap(
    network: Guided, builder: DocumentBuilder, pieces: list[Piece], device: str = "cpu"
) -> dict[str, float]:
    """Held-out loss per code with the right text, and with the text of another utterance."""
    sums = {"right": 0.0, "wrong": 0.0}
    none = np.random.default_rng(0)
    for name in sums:
        codes, total = 0, 0.0
        documents = []
        for k, piece in enumerate(pieces):
            if name == "wrong":
                other = pieces[(k + 7) % len(pieces)]
                right = builder.document([piece], drop_text=True)
                head = builder.document([other]).ids[
                    : len(builder.head) + len(other.text) + len(builder.tail)
                ]
                ids = np.r_[head, right.ids[right.speech_start :]]
                blank = np.full(len(ids), IGNORE)
                target = blank.copy()
                target[len(head) - 1 : -1] = ids[len(head) :]
                documents.append(Document(ids, target, np.stack([blank] * 2), blank, blank, blank, len(head)))
            else:
                documents.append(builder.document([piece]))
        for start in range(0, len(documents), 16):
            batch = collate(documents[start : start + 16], none, 0.0, builder, network.recipe)
            batch = {key: value.to(device) for key, value in batch.items()}
            with torch.no_grad(), torch.autocast(device, torch.bfloat16):
                loss, _, _ = network(**batch)
            n = int((batch["target"] != IGNORE).sum())
            codes, total = codes + n, total + float(loss) * n
        sums[name] = total / codes
    return sums | {"gap": sums["wrong"] - sums["right"]}


def train_generator(
    builder: DocumentBuilder,
    pieces: list[Piece],
    groups: list[str],
    held_out: list[Piece],
    folder: Path,
    recipe: Recipe,
    device: str = "cpu",
) -> None:
    """Train and export ``folder/model`` (a stock Llama folder with its tokenizer)."""
    model = build_model(recipe, builder).to(device).train()
    network = Guided(model, recipe, builder.n_sounds, builder.phonemes.n_states).to(device)
    batches = Batches(builder, pieces, groups, recipe)

    def losses(step: int) -> dict[str, torch.Tensor]:
        batch = {key: value.to(device) for key, value in batches(step).items()}
        with torch.autocast(device, torch.bfloat16):
            token, guide, auxiliary = network(**batch)
        weight = 1.0 if step < recipe.steps / 2 else recipe.late
        loss = token + weight * (recipe.guide * guide + recipe.auxiliary * auxiliary)
        return {"loss": loss, "token": token, "guide": guide, "auxiliary": auxiliary}

    matrices = [p for name, p in model.named_parameters() if ".layers." in name and p.ndim == 2]
    known = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in known]
    adam = torch.optim.AdamW(
        [
            {"params": [p for p in others if p.ndim > 1], "weight_decay": 0.05},
            {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.97),
        fused=True,
    )
    muon = Muon(matrices, recipe.learning_rate)
    train(
        folder,
        Schedule(recipe.steps, flat=0.4),
        {"network": network},
        [adam, muon],
        losses,
        save_every=250,
        validate=lambda: text_gap(network, builder, held_out, device),
    )
    network.settle()
    model.eval().to(torch.bfloat16).save_pretrained(folder / "model")
    builder.tokenizer.save_pretrained(folder / "model")
