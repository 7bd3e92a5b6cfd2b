"""The file: header, manifest and sections, read and written."""
