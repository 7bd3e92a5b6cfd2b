"""What every folder stands on, and what knows none of them: compilation, memory, files, text and times."""
