"""What each verb does, from checked input to the exit code. One module a verb."""
