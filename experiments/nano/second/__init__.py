"""The second edition of the nano family: natural English, many voices, a codec that keeps pitch."""
