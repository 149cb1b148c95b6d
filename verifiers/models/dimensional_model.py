"""wav2vec 2.0 with a regression head over the mean of its frames. Imports torch and transformers.

As on the card of audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim (Wagner et al. 2023, "Dawn of the
Transformer Era in Speech Emotion Recognition", arXiv 2203.07378). Names of modules are those of the released
weights.
"""

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model, Wav2Vec2PreTrainedModel


class RegressionHead(nn.Module):
    """[rows, hidden size] to [rows, outputs]: a dense layer and tanh, then the projection."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.final_dropout)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, features: Tensor) -> Tensor:
        inner = self.dropout(torch.tanh(self.dense(self.dropout(features))))
        found: Tensor = self.out_proj(inner)
        return found


class EmotionModel(Wav2Vec2PreTrainedModel):  # type: ignore[misc]
    """Waveforms [rows, samples], normalised one by one, to a number for each label of the configuration
    [rows, labels]."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = RegressionHead(config)
        self.post_init()

    def forward(self, input_values: Tensor) -> Tensor:
        frames = self.wav2vec2(input_values).last_hidden_state
        found: Tensor = self.classifier(frames.mean(dim=1))
        return found
