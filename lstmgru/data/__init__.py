"""Tables become panels of series, panels become splits and windows."""
