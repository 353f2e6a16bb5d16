"""How a person brings an instance onto its compensation path: what it has done is undone in order, and it ends."""
