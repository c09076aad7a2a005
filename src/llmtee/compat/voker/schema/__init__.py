"""What Voker's API takes and answers with."""
