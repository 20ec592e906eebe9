"""Where frames come from: files of a folder, or a process that writes them."""
