"""One plan among those that a program trains: what goes in, and what comes out."""
