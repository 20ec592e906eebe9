"""Where frames come from: files of a folder, or a program that writes them."""
