"""Images in, ranked answers out."""
