"""What a person or a script sees of a compilation: tables on the terminal, and cost.json.

Everything here is a pure function of results; nothing is computed or measured here.
"""
