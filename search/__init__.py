"""The search engine: strategies ask for work, rollouts carry it out, the ledger says what it cost."""
