"""Code for NumPy's arrays in, the text of a StableHLO module out."""
