"""How scores of several verifiers become one ranking: the rules, and their text form."""
