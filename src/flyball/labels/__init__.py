"""Labels that people give to rows, texts, images and sounds: which to ask for next, who said what, how far they agree.

This room never overwrites a label: a correction is another label. It knows nothing of who uses them.
"""
