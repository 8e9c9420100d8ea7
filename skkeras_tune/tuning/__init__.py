"""The one-liner: data in, a fitted search out."""
