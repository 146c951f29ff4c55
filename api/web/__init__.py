"""The page in the browser: its files, as they are served."""
