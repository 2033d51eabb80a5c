"""Pictures and files of pictures: good, odd and damaged."""
