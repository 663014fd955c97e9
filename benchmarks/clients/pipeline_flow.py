"""The same pipeline for Metaflow: each step is a process there."""

from metaflow import FlowSpec, step


class Whole(FlowSpec):
    @step
    def start(self):
        self.value = 0
        self.next(self.one)

    @step
    def one(self):
        self.value += 1
        self.next(self.two)

    @step
    def two(self):
        self.value += 1
        self.next(self.three)

    @step
    def three(self):
        self.value += 1
        self.next(self.four)

    @step
    def four(self):
        self.value += 1
        self.next(self.end)

    @step
    def end(self):
        assert self.value == 4


if __name__ == "__main__":
    Whole()
