"""HTTP/1.1 without I/O (RFC 9110, RFC 9112): what heads hold, how bodies are framed, what may be passed on. Pure."""
