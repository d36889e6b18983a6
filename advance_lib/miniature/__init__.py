"""The miniature: a rendered world in ADVANCE's own file layout.

``photographs`` paints places, ``sounds`` synthesises events, ``world`` lays out locations, siblings
and files, and ``calibrate`` tunes the difficulty of both senses to the paper's unimodal scores.
"""
