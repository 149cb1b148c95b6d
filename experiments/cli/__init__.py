"""The command `llasa-search`, one file for each of its commands."""
