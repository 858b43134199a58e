"""What stands in a model repository as text: configurations, code, templates, scripts and prose."""
