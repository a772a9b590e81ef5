"""These scenarios are broken on purpose; tests/unit reads them, nobody runs them."""

collect_ignore_glob = ["*.yaml", "*.yml"]
