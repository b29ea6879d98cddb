"""Who asks? Passwords, tokens and cookies become a caller, once for each request."""
