"""A thin PyTorch library for cross-task transfer in audiovisual aerial scene recognition.

It accompanies the book in ``book/`` and follows the paper *Cross-Task Transfer for Geotagged Audiovisual Aerial Scene
Recognition* (Hu et al., ECCV 2020). Its rooms stand in the order in which data flows; each imports from those above:

- ``cache``: what was computed once is kept
- ``data``: from files to a checked, split table of pairs, and to arrays
- ``miniature``: the rendered world, and a planet to build a dataset from
- ``construct``: section 3: from an area to a dataset
- ``models``: networks, and where their weights come from
- ``training``: an engine that knows neither paper nor dataset
- ``transfer``: the paper's contribution: objectives, knowledge, one recogniser
- ``experiments``: which runs are wanted, and how they are found or trained
- ``analysis``: from runs to numbers
- ``figures``: from numbers to pictures
- ``cli``: the command ``advance``
"""

__version__ = "0.2.0"
