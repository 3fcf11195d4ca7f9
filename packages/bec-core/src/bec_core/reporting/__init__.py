"""What the jobs' reports share: a volume's name and folder, its pages' records, what needs no drawing again."""
