"""Networks that others have trained: EfficientAT, which knows AudioSet's 527 sound events.

``efficientat`` is the network with its front end, ``audioset`` has the names of its outputs, and ``weights``
fetches the file of its parameters.
"""
