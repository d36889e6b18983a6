"""Which runs are wanted, and how they are found or trained."""
