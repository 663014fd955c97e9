"""Is a review praise? A network of PyTorch whose training can be cut off after any epoch and goes on from there."""

from pathlib import Path

import torch
from network import BagOfWords, encode

import flyball as fb
from flyball.pipelines.context import current_run

CHECKPOINTS = Path(".flyball") / "checkpoints"

reviews = fb.dataset("reviews", "data/reviews.csv", key="review", label="praise")


@fb.step(cores=1)
def train(rows: fb.Table, epochs: int = 12, width: int = 16, rate: float = 0.05) -> fb.Model:
    """Learns epoch by epoch; each is logged, and kept, so that a training that was killed repeats no epoch."""
    torch.manual_seed(0)
    network = BagOfWords(width)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    words, starts = encode(rows.column("text").to_pylist())
    truth = torch.tensor(rows.column("praise").to_pylist(), dtype=torch.float32)
    checkpoint = CHECKPOINTS / f"{current_run().pipeline_run}.pt"  # the same when the run is taken up again
    first = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        first = kept["epoch"] + 1
    for epoch in range(first, epochs):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(words, starts), truth)
        loss.backward()
        optimizer.step()
        fb.log(step=epoch, loss=loss.item())
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        fresh = checkpoint.with_suffix(".new")
        torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, fresh)
        fresh.replace(checkpoint)
    checkpoint.unlink(missing_ok=True)
    return network.eval()


@fb.pipeline
def praise(epochs: int = 12, width: int = 16, rate: float = 0.05):
    """Learns from three quarters of the reviews; the others judge the result."""
    past, held = fb.split(fb.training_set(reviews), holdout="25%")
    model = train(past, epochs, width, rate)
    scored = fb.evaluate(model, held, metrics=["roc_auc", "accuracy", "log_loss"])
    return fb.register("praise", model, scored, reference=past)


fb.loop("praise", praise, retrain=[fb.on.new_data(reviews), fb.on.code()], gates=[fb.gate.at_least("roc_auc", 0.8)])

fb.test.data(reviews, [fb.expect.not_null("text"), fb.expect.unique("review")])
fb.test.quality(praise, "roc_auc", at_least=0.85)
fb.test.minimum(
    praise, [{"text": "a great shop and kind"}, {"text": "it came broken and late"}], [True, False], about="plain words"
)
fb.test.size(praise, "1MB")
