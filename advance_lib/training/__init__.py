"""An engine that knows neither paper nor dataset: arrays, devices, one loop, scores."""
