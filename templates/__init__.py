"""Jinja2 templates of the reports, packaged as `modelscan_plus.templates`."""
