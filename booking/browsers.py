"""What a browser calls itself, cut down to what its owner knows it by. Pure."""

# Each also names those below it: the first that is found is the one.
BROWSERS = {
    "SamsungBrowser": "Samsung Internet",
    "Whale": "Whale",
    "Edg": "Edge",
    "OPR": "Opera",
    "FxiOS": "Firefox",
    "Firefox": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "CrOS": "Chromebook",
    "Linux": "Linux",
}
LONGEST = 40


def browser_of(user_agent: str) -> str:
    """`Firefox, Linux`; of a program its own first word, such as `curl`; "" where it says nothing."""
    known = [next((name for mark, name in names.items() if mark in user_agent), "") for names in (BROWSERS, SYSTEMS)]
    if not known[0]:
        known = ["".join(char for char in user_agent.partition("/")[0] if char.isprintable())[:LONGEST].strip()]
    return ", ".join(name for name in known if name)
