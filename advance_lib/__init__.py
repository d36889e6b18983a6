"""A thin PyTorch library for cross-task transfer in audiovisual aerial scene recognition.

It accompanies the book in ``book/`` and follows the paper *Cross-Task Transfer for Geotagged
Audiovisual Aerial Scene Recognition* (Hu et al., ECCV 2020). Read the modules in the order in which
data flows:

``published`` → ``media`` → ``catalogue`` → ``splits`` → ``datasets`` → ``features`` → ``profiles`` →
``models`` → ``objectives`` → ``pretraining`` → ``training`` → ``runs`` → ``experiments`` →
``results`` → ``figures``.
"""

__version__ = "0.1.0"
