"""Ensembles: several models in, one that averages them with chosen weights out."""
