"""The built-in network as a function of stacked weights: what a program computes."""
