//! `flockmq uri`: a URI explained, or its fault pointed at.

use std::fmt::Write;

use clap::Args;
use flockmq::core::uri::{self, ExplainedOption, Level};

use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{self, Paint, Style};
use crate::place;

/// Explain a URI option by option, with defaults, or point at its fault.
///
/// Options that the URI gives are marked with '*'; the others show what holds instead. A bad URI is shown with its
/// part at fault underlined, and the exit code is 2.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq uri 'peer://groupA/broker1?persistent=false'
  flockmq uri 'fanout:(multicast://default)?minAckCount=3'
  flockmq uri 'static:(tcp://a:61616,tcp://b:61616)?maxReconnectAttempts=5'")]
pub(crate) struct Uri {
    /// peer:, fanout:, vm:, tcp:, static: or multicast:, in quotes if it has a '?', '&' or '('
    #[arg(value_name = "URI")]
    uri: String,
}

impl Uri {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let explanation = uri::explain(&self.uri).map_err(|error| place::bad_uri(&self.uri, error))?;
        let (mut out, paint) = (Out::new(), Paint::stdout());
        for (index, level) in explanation.levels.iter().enumerate() {
            if index > 0 {
                out.line("")?;
            }
            for line in lines(level, paint) {
                out.line(line)?;
            }
        }
        Ok(())
    }
}

fn lines(level: &Level, paint: Paint) -> Vec<String> {
    let indent = "    ".repeat(level.depth);
    let mut lines = vec![format!("{indent}{}", paint.paint(Style::Bold, &format!("{}:", level.scheme)))];
    let width = level.parts.iter().map(|part| part.label.len()).max().unwrap_or(0);
    for part in &level.parts {
        let mark = if part.is_given { '*' } else { ' ' };
        let value = paint::name(&part.value);
        let value = if part.is_given { paint.paint(Style::Good, &value) } else { value };
        lines.push(format!("{indent}{mark} {:width$}  {value}", part.label));
    }
    for option in &level.options {
        let (value, meaning) = described(option, paint);
        lines.push(format!("{indent}{value}"));
        lines.push(format!("{indent}    {}", paint.paint(Style::Faint, &meaning)));
    }
    lines
}

/// Its value, and what it does.
fn described(option: &ExplainedOption, paint: Paint) -> (String, String) {
    let spec = option.spec;
    let mut line = match (&option.given, spec.default) {
        (Some(given), _) => format!("* {} = {}", spec.name, paint.paint(Style::Good, &paint::name(given))),
        (None, Some(default)) => format!("  {} = {default}", spec.name),
        (None, None) => format!("  {} is not given", spec.name),
    };
    // Writing to a string can't fail.
    _ = match (&option.given, spec.default) {
        (Some(_), Some(default)) => write!(line, "  (default {default})"),
        (Some(_), None) => write!(line, "  (no default)"),
        (None, Some(_)) => write!(line, "  (default)"),
        (None, None) => Ok(()),
    };
    (line, format!("{} Takes {}.", spec.help, spec.kind))
}
