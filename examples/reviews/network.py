"""A small network of PyTorch that reads a text as a bag of words, and answers for a table by itself."""

import zlib

import torch

BUCKETS = 4096


class BagOfWords(torch.nn.Module):
    """The mean of the words' vectors, and one layer on it.

    Attributes:
        config: What the class is made of; with it the model is made anew before it gets its weights.
        columns: What it takes of a table.
        classes: What the output is the logit of: the last of the two.
    """

    columns = ("text",)
    classes = (False, True)

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.config = {"width": width}
        self.words = torch.nn.EmbeddingBag(BUCKETS, width, mode="mean")
        self.judge = torch.nn.Linear(width, 1)

    def forward(self, words, starts):
        """Logits of texts, given as all their words in a row and where each text starts."""
        return self.judge(self.words(words, starts))[:, 0]

    def predict(self, table):
        """Whether each text is praise, and how sure that is."""
        with torch.no_grad():
            chances = torch.sigmoid(self(*encode(table["text"].to_pylist())))
        return {"prediction": [bool(chance > 0.5) for chance in chances], "probability": chances.tolist()}


def encode(texts):
    """The words of texts as numbers, and where each text starts."""
    words, starts = [], []
    for text in texts:
        starts.append(len(words))
        words += [zlib.crc32(word.encode()) % BUCKETS for word in (text or "").lower().split()] or [0]
    return torch.tensor(words), torch.tensor(starts)
