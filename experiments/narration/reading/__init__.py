"""Readers of .txt, .md, .epub and .docx: every part of the file becomes text to speak, or is left out and
said."""
