"""What stands on nothing else of pco: values, files, times, texts, errors."""
