"""What training costs: on this machine, at its limits, in the way of the authors' code, and with more data.

``python -m advance_bench`` measures a machine; one chapter shows what was measured. The library never imports it.

- `limits`: what a machine can do at most, and what a training step asks of it.
- `preparing`: how fast files become arrays.
- `peer`: a loop that pays what the authors' code pays.
- `speed`: how fast recognisers train here, beside all these.
- `model`: from measured rates to what other machines and more data would take.
- `pictures`: of the model.

Chapter: What it costs.
"""
