"""Private or version-dependent parts of other libraries, reached through here alone.

Each entry says which version made it needed, and when it can go.
"""
