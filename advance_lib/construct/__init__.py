"""Building a dataset like ADVANCE anywhere on Earth (section 3): one idea a module, in the order of the steps.

``area`` says where, ``plan`` what, and ``site`` where its files are. ``recordings`` searches Freesound, ``clips`` cuts
ten seconds, ``photographs`` stitches map tiles, ``overpass`` asks the map and ``scene_rules`` suggest a
label from it, ``review`` and ``review_page`` let people correct it, ``balance`` chooses pairs, and ``export`` writes
ADVANCE's layout and describes it. ``entries`` looks at what servers list; ``tables`` lie between the ``steps``, which
``construction`` runs.
"""
