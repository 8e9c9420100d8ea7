"""Members that are trained together, and who of them is in the program when."""
