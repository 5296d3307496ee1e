//! Options as they are written.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::percent;
use super::spec::{OptionSpec, Scheme};
use crate::model::Destination;

/// Options as they are written: prints as a query, or as nothing if none is given.
#[derive(Debug)]
pub(super) struct Written {
    scheme: Scheme,
    prefix: &'static str,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    spec: &'static OptionSpec,
    value: String,
    printed: String,
}

impl Written {
    pub(super) fn new(scheme: Scheme) -> Self {
        Self { scheme, prefix: "", entries: Vec::new() }
    }

    /// Puts `prefix` before all names that follow.
    pub(super) fn under(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Adds a value that needs no encoding.
    pub(super) fn plain(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        let Some(value) = value.map(|value| value.to_string()) else {
            return self;
        };
        self.add(name, value.clone(), value)
    }

    pub(super) fn duration(self, name: &str, value: Option<Duration>) -> Self {
        self.plain(name, value.map(|value| value.as_millis()))
    }

    /// Adds a list, unless it is empty.
    pub(super) fn destinations(self, name: &str, listed: &[Destination]) -> Self {
        if listed.is_empty() {
            return self;
        }
        // Wildcards may stand as they are.
        let print = |found: &Destination| {
            let name = percent::encode(found.name()).replace("%2A", "*").replace("%3E", ">");
            [found.kind().as_str(), "://", &name].concat()
        };
        let values: Vec<_> = listed.iter().map(ToString::to_string).collect();
        let printed: Vec<_> = listed.iter().map(print).collect();
        let printed = if let [only] = &printed[..] { only.clone() } else { ["(", &printed.join(","), ")"].concat() };
        self.add(name, values.join(","), printed)
    }

    pub(super) fn text(self, name: &str, value: Option<&str>) -> Self {
        let Some(value) = value else {
            return self;
        };
        self.add(name, value.to_owned(), percent::encode(value))
    }

    /// The value of the option with this whole name, as people read it.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.spec.name == name).map(|entry| entry.value.as_str())
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn add(mut self, name: &str, value: String, printed: String) -> Self {
        let whole = [self.prefix, name].concat();
        let spec = self.scheme.spec(&whole).expect("every field has its row in the table");
        self.entries.push(Entry { spec, value, printed });
        self
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            write!(f, "{}{}={}", if at == 0 { '?' } else { '&' }, entry.spec.name, entry.printed)?;
        }
        Ok(())
    }
}
