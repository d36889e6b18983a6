"""From files to a checked, split table of pairs, and to arrays."""
