"""Models of sequences: classifiers, taggers, language models, encoder-decoders."""
