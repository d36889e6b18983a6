"""What training costs: on this machine, at its limits, and in the way of the authors' code.

Chapter: What it costs.
"""
