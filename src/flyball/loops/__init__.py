"""The governor: declared loops, and the controller that reads facts and takes the next step.

The only room that acts on what the others tell. It decides when to train, what may go on, and what is rolled out or back;
how any of that is done is known by the rooms below.
"""
