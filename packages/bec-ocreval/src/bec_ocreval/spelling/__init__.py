"""Whether a syllable is spelt by the rules of Tibetan: ``letters`` has the rules, ``check`` applies them."""
