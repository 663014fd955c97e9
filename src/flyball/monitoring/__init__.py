"""What is watched in production: profiles of windows, drift, quality, performance and bias.

It reads predictions, labels and their logs and says what changed, how sure that is and why. It never acts on it:
findings go out as events, and the loops decide.
"""
