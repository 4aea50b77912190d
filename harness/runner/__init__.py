"""Planning, placing and evaluating: what is missing becomes parcels of work, parcels become rows.

``plan`` finds what is missing, ``evaluate`` turns one parcel into rows, ``work`` is the task that a worker runs,
``local`` and ``cluster`` place tasks; ``fingerprint`` says what a row depends on.
"""
