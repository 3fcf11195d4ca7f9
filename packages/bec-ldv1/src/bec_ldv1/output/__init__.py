"""What people and other programs look at: reports, exports and crops, previews."""
