//! Transitions of nodes, a line each, and which of them to show.

use std::time::Duration;

use clap::{Args, ValueEnum};
use flockmq::core::Instant;

use crate::duration;
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{self, Paint, Style};

/// Which transitions to show.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Show nothing before this moment, counted from the beginning: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    from: Option<Duration>,
    /// Show nothing after this moment
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    until: Option<Duration>,
    /// Show only lines with this text in them
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Show only what nodes are told, what they say, or what they tell applications
    #[arg(long, value_name = "KIND")]
    only: Option<Kind>,
}

/// A kind of transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What nodes are told: '<'
    Inputs,
    /// What nodes say: '>'
    Outputs,
    /// What nodes tell applications: '> Event'
    Events,
}

impl Kind {
    fn begins(self) -> &'static str {
        match self {
            Self::Inputs => "< ",
            Self::Outputs => "> ",
            Self::Events => "> Event",
        }
    }
}

impl Filter {
    /// True for what is to be shown. `text` is what happened, `<`, `>` or a deed; `line` all that would be shown of it.
    fn passes(&self, at: Instant, text: &str, line: &str) -> bool {
        let at = at.since_origin();
        self.from.is_none_or(|from| at >= from)
            && self.until.is_none_or(|until| at <= until)
            && self.only.is_none_or(|only| text.starts_with(only.begins()))
            && self.grep.as_ref().is_none_or(|wanted| line.contains(wanted.as_str()))
    }
}

/// Writes transitions.
pub(crate) struct Transcript<'a> {
    filter: &'a Filter,
    out: Out,
    paint: Paint,
}

impl<'a> Transcript<'a> {
    /// On standard output.
    pub(crate) fn new(filter: &'a Filter) -> Self {
        Self { filter, out: Out::new(), paint: Paint::stdout() }
    }

    /// Writes what happened to whom, if it is to be shown; false if it is not.
    pub(crate) fn happened(&mut self, at: Instant, whom: &str, text: &str) -> Result<bool, Failure> {
        let (time, whom) = (at.to_string(), paint::name(whom));
        let line = format!("{time} {whom} {text}");
        if !self.filter.passes(at, text, &line) {
            return Ok(false);
        }
        let rest = &line[time.len()..];
        let style = if text.starts_with(Kind::Events.begins()) { Some(Style::Good) } else { None };
        let rest = style.map_or_else(|| rest.to_owned(), |style| self.paint.paint(style, rest));
        self.out.line(self.paint.paint(Style::Faint, &time) + &rest)?;
        Ok(true)
    }

    /// Writes a line about all of it.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.out.line(self.paint.paint(Style::Bold, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(filter: &Filter) -> Vec<usize> {
        let lines = [(1, "< Timeout"), (2, "> Send link 1, 5 B"), (3, "> Event(Stopped)"), (4, "is paused")];
        let passes = lines.iter().enumerate().filter(|(_, (seconds, text))| {
            filter.passes(Instant::from_millis(seconds * 1000), text, &format!("{seconds}s h{seconds} {text}"))
        });
        passes.map(|(index, _)| index).collect()
    }

    #[test]
    fn each_filter_lets_through_what_it_names_and_all_together_what_all_do() {
        let none = || Filter { from: None, until: None, grep: None, only: None };
        assert_eq!(shown(&none()), [0, 1, 2, 3]);
        assert_eq!(shown(&Filter { from: Some(Duration::from_secs(2)), ..none() }), [1, 2, 3]);
        assert_eq!(shown(&Filter { until: Some(Duration::from_secs(2)), ..none() }), [0, 1]);
        assert_eq!(shown(&Filter { grep: Some("h2 > Send".into()), ..none() }), [1]);
        for (only, expected) in [(Kind::Inputs, vec![0]), (Kind::Outputs, vec![1, 2]), (Kind::Events, vec![2])] {
            assert_eq!(shown(&Filter { only: Some(only), ..none() }), expected);
        }
        let all = Filter {
            from: Some(Duration::from_secs(2)),
            grep: Some("Event".into()),
            only: Some(Kind::Outputs),
            ..none()
        };
        assert_eq!(shown(&all), [2]);
    }
}
