"""The miniature: a rendered world in ADVANCE's own file layout.

``photographs`` paints places, ``sounds`` synthesises events, and ``world`` lays out locations, siblings and files.
"""
