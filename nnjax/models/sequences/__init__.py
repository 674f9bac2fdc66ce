"""Models for sequences: classifiers, taggers, language models, encoder-decoders."""
