"""Other people's layouts: importing published tables, exporting the store, comparing one with the other.

``text_table`` reads CSV files with every fault named, ``published`` and ``robustness`` make rows of them,
``importing`` commits these, ``paper`` and ``release`` write what the store holds, ``sides`` and ``comparison`` set two
tables against one another.
"""
