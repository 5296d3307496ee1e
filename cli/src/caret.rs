//! A part of a text pointed at, by a line of carets below it.

use std::ops::Range;

/// The text on one line, or as much around the part as fits, and the line below it that points at the part.
pub(crate) fn point(text: &str, at: Range<usize>) -> (String, String) {
    let letters = |end: usize| text.char_indices().take_while(|(start, _)| *start < end).count();
    let (start, end) = (letters(at.start), letters(at.end));
    let end = end.max(start + 1); // Where something is missing there is a caret too.
    let length = text.chars().count();
    let from = if length <= WIDTH_MAX { 0 } else { start.saturating_sub(WIDTH_MAX / 4) };
    let to = length.min(from + WIDTH_MAX);
    let shown: String = text.chars().skip(from).take(to - from).map(printable).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < length { "…" } else { "" });
    let indent = start - from + usize::from(from > 0);
    let carets = "^".repeat(end.min(to.max(start + 1)) - start);
    (format!("{before}{shown}{after}"), format!("{}{carets}", " ".repeat(indent)))
}

/// Exactly one visible place for each letter, whatever it is.
fn printable(letter: char) -> char {
    if letter.is_control() || letter.is_whitespace() && letter != ' ' { '\u{fffd}' } else { letter }
}

/// How many letters of a text are shown at most.
const WIDTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn pointed(text: &str, at: Range<usize>) -> String {
        let (line, carets) = point(text, at);
        format!("{line}\n{carets}")
    }

    #[test]
    fn carets_stand_below_the_part() {
        assert_eq!(pointed("peer://g?x=1", 9..10), "peer://g?x=1\n         ^");
        assert_eq!(pointed("peer://é?abc=1", 10..13), "peer://é?abc=1\n         ^^^");
    }

    #[test]
    fn what_is_missing_is_pointed_at_too() {
        assert_eq!(pointed("peer://", 7..7), "peer://\n       ^");
        assert_eq!(pointed("", 0..0), "\n^");
    }

    #[test]
    fn letters_without_a_shape_take_one_place() {
        assert_eq!(pointed("a\tb\nc", 3..4), "a\u{fffd}b\u{fffd}c\n   ^");
    }

    #[test]
    fn a_long_text_is_shown_around_the_part() {
        let text = format!("{}BAD{}", "a".repeat(200), "b".repeat(200));
        let (line, carets) = point(&text, 200..203);
        let (at, shown) = (carets.trim_end_matches('^').len(), line.chars().collect::<Vec<_>>());
        assert_eq!(shown[at..at + 3], ['B', 'A', 'D']);
        assert_eq!((shown[0], shown.len()), ('…', WIDTH_MAX + 2));
        let (line, carets) = point(&"x".repeat(5000), 4096..5000);
        assert!(carets.chars().count() <= line.chars().count() && carets.ends_with('^'));
    }
}
