"""What must be known of single file formats, beyond what Pillow tells, to decode their pages right."""
