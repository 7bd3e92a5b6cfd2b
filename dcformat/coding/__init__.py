"""From integers to bits and back: Huffman codes, relative indices, codebooks."""
