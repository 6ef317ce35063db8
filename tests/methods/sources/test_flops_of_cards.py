"""Operations on cards are those that torch counts."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import ASTConfig, ASTForAudioClassification

from mirbench.methods.sources.cards import AST


@torch.no_grad()
@pytest.mark.slow
def test_card_of_ast_says_as_many_operations_as_torch_counts_of_its_architecture() -> None:
    network = ASTForAudioClassification(ASTConfig(num_labels=AST.n_outputs)).eval().to("meta")
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, AST.n_frames, AST.n_bands, device="meta"))
    assert counter.get_total_flops() == AST.flops
