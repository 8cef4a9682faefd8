"""``python -m afina``."""

from afina.cli import main

if __name__ == "__main__":
    main()
