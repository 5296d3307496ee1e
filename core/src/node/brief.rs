//! Inputs and outputs in one line each, for people: `<` is what a node is told, `>` what it says. Payloads are left out.

use core::fmt;

use super::{Command, Event, Input, Output};

impl Input {
    /// What a node is told, in one line that begins with `<` and leaves payloads out.
    ///
    /// ```
    /// use flockmq_core::{Input, LinkId};
    ///
    /// let input = Input::Bytes { link: LinkId(3), data: "secret".into() };
    /// assert_eq!(input.brief().to_string(), "< Bytes link 3, 6 B");
    /// ```
    pub fn brief(&self) -> impl fmt::Display {
        Brief(self)
    }
}

impl Output {
    /// What a node says, in one line that begins with `>` and leaves payloads out.
    pub fn brief(&self) -> impl fmt::Display {
        Brief(self)
    }
}

struct Brief<'a, T>(&'a T);

impl fmt::Display for Brief<'_, Input> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Input::Bytes { link, data } => write!(f, "< Bytes link {link}, {} B", data.len()),
            Input::Command(Command::Send { producer, messages, .. }) => {
                write!(f, "< Command Send producer {producer}, {} messages", messages.len())
            }
            Input::Datagram { group, from, data } => {
                write!(f, "< Datagram group {group} from {from}, {} B", data.len())
            }
            other => write!(f, "< {other:?}"),
        }
    }
}

impl fmt::Display for Brief<'_, Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Output::Announce { group, via: None, data } => write!(f, "> Announce group {group}, {} B", data.len()),
            Output::Announce { group, via: Some(via), data } => {
                write!(f, "> Announce group {group} via {via}, {} B", data.len())
            }
            Output::Event(Event::Delivered { consumer, deliveries }) => {
                let (first, last) = (deliveries.first().map(|d| d.tag), deliveries.last().map(|d| d.tag));
                write!(f, "> Event Delivered consumer {consumer}, tags {first:?} to {last:?}")
            }
            Output::Send { link, data } => write!(f, "> Send link {link}, {} B", data.len()),
            other => write!(f, "> {other:?}"),
        }
    }
}
