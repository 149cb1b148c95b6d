"""Search algorithms, one file each; `registry` builds them from specs."""
