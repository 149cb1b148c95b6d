"""The backend that spreads requests and candidates over actors of Ray."""
