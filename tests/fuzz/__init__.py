"""Wrong types, sizes and bytes for every document and option of `llasa-search`: `python -m tests.fuzz`."""
