"""Where the answers of dcz infer go: text or a JSON document at the end, or rows as they come, which a run resumes."""
