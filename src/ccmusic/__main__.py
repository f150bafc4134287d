"""``python -m ccmusic`` does what ``ccmusic`` does."""

from ccmusic.cli import main

if __name__ == "__main__":
    main()
