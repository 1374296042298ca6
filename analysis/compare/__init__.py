"""Two results directories held against each other, and what measured runs predict for another migration."""
