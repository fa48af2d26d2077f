"""The programs behind the scripts in this folder."""
