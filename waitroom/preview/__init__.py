"""A preview of a room's pages: every state side by side, in each language, light and dark, as files or served."""
