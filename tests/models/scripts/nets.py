"""Networks of PyTorch, as a project would have them in a file."""

from __future__ import annotations

import torch


class Small(torch.nn.Module):
    """Two layers."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.config = {"width": width}
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))

    def forward(self, rows):
        return self.layers(rows)


class Forgetful(torch.nn.Module):
    """One that does not say what it was made of."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, width)

    def forward(self, rows):
        return self.layer(rows)


class Letters(torch.nn.Module):
    """Classifies texts by their first letter, and takes the table itself."""

    classes = ("early", "late")

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(256, 1)

    def forward(self, letters):
        return self.embed(letters)[:, 0]

    def predict(self, table):
        letters = torch.tensor([ord(text[:1] or " ") % 256 for text in table["word"].to_pylist()])
        chance = torch.sigmoid(self(letters))
        return {
            "prediction": [self.classes[int(each > 0.5)] for each in chance],
            "probability": chance.tolist(),
        }
