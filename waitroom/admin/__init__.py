"""The admin listener: its tokens, the API, the dashboard, probes and metrics. Never on the public listener."""
