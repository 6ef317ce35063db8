"""What tests of several methods share: a full-size source that holds no weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch


@pytest.fixture(scope="module")
def weightless() -> Any:
    """A full-size AST whose parameters have shapes and no values."""
    from transformers import ASTConfig, ASTForAudioClassification

    from mirbench.methods.sources.ast import AstNetwork, FilterBank

    with torch.device("meta"):
        return AstNetwork(ASTForAudioClassification(ASTConfig(num_labels=527)), FilterBank())
