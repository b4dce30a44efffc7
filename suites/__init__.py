"""The suites: one folder a source, with its statements in `requirements.yml` and the checks beside them."""
