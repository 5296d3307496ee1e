//! Colours, on terminals only.

use std::io::IsTerminal;

/// What is said by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bad,
    Bold,
    Faint,
    Good,
    Warning,
}

/// Knows whether one of our outputs shows colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    /// For standard output.
    pub(crate) fn stdout() -> Self {
        Self { is_on: std::io::stdout().is_terminal() && is_wanted() }
    }

    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self { is_on: std::io::stderr().is_terminal() && is_wanted() }
    }

    /// The text in a style, if this output shows any.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if !self.is_on {
            return text.to_owned();
        }
        let code = match style {
            Style::Bad => "1;31",
            Style::Bold => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warning => "1;33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// False if the environment asks for no colours.
pub(crate) fn is_wanted() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A text from elsewhere without anything that a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => shown.push(letter),
            _ if letter.is_control() => shown.extend(letter.escape_default()),
            _ => shown.push(letter),
        }
    }
    shown
}

/// A name from elsewhere, on one line.
pub(crate) fn name(text: &str) -> String {
    harmless(text).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_text_stays_as_it_is() {
        assert_eq!(Paint { is_on: false }.paint(Style::Bad, "x"), "x");
        assert_eq!(Paint { is_on: true }.paint(Style::Bold, "x"), "\x1b[1mx\x1b[0m");
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(harmless("a\x1b[2Jb\té\n"), "a\\u{1b}[2Jb\té\n");
        assert_eq!(name("a\nb"), "a\\nb");
    }
}
