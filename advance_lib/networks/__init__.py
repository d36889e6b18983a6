"""Networks that others have trained.

``efficientat`` knows AudioSet's 527 sound events, whose names are in ``audioset``; ``mn04`` makes it an N_a(0) to
fine-tune, and ``weights`` fetches the file of its parameters. ``official`` reads the paper's own pre-trained
networks, and ``imagenet`` torchvision's.
"""
