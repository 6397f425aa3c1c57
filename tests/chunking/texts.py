"""Texts that are hard to cut."""

from hypothesis import strategies as st

fragments = st.one_of(
    st.text(alphabet="abcXYZ", min_size=1, max_size=12),
    st.sampled_from([" ", "  ", "\n", "\r\n", "\n\n", "\r\n\r\n", "\t", "    ", "\u2029", "\u3000", "\x00"]),
    st.sampled_from([". ", "! ", "? ", "...", ".\n", "Dr. ", "\u3002", "\uff1f", "\u2026 ", "- ", "\n- "]),
    st.sampled_from(
        ["日本語", "naïve", "e\u0301", "👩‍👩‍👧", "שלום", "\u200b", "x" * 120, "1." * 40, "\ud800"]
    ),
    st.text(max_size=6),
)
texts = st.lists(fragments, max_size=60).map("".join)


def without_space(text):
    return "".join(text.split())
